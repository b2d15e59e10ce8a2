import { siblingShardNames } from '../../formats/gguf/shards.ts';
import { CONTAINERS } from '../../formats/hf/container.ts';
import { isTokenizerFile } from '../../formats/hf/tokenizer-files.ts';
import { adapterAsSource } from '../../formats/peft/adapter.ts';
import { invalidInput, type PressError, usage } from '../core/errors.ts';
import { ADAPTER_CONFIG } from '../core/lora.ts';
import { MANIFEST_NAME } from './manifest.ts';

/** A file in a listing, by its path with forward slashes. */
interface Listed {
  readonly path: string;
}

/** Files of a checkpoint beside its weights and its tokenizer. */
const COMPANIONS = new Set(['config.json', 'generation_config.json', 'README.md']);
const BUNDLE_MANIFEST = 'manifest.json';
const GRAPHS = 'onnx/';
const GRAPH = /^(onnx\/)?[^./][^/]*\.onnx$/i;
const BUNDLE_IN_FOLDER = /^webgpu[^/]*\/manifest\.json$/;

/** The model of a repository: the files that opening it takes, and where it is among them. */
export interface NeededFiles<File extends Listed> {
  readonly files: readonly File[];
  /** Path in the repository, of a file or a folder; left out: the root. */
  readonly path?: string;
  readonly format: 'checkpoint' | 'gguf' | 'onnx' | 'bundle';
}

/**
 * Picks what a model needs out of all that a repository holds. `path` names a file or a folder of it. Checkpoints come
 * before graphs that lie beside them, as in folders. The record of plmpress comes along where there is one.
 * @throws PressError `invalid-input` where there is no model, `usage` where there are several.
 */
export function neededFiles<File extends Listed>(
  repository: string,
  listed: readonly File[],
  path?: string,
): NeededFiles<File> {
  const needed = modelFiles(repository, listed, path);
  const record = listed.find((entry) => entry.path === MANIFEST_NAME);
  const isLeft = record !== undefined && !needed.files.includes(record);
  return isLeft ? { ...needed, files: [...needed.files, record] } : needed;
}

function modelFiles<File extends Listed>(
  repository: string,
  listed: readonly File[],
  path?: string,
): NeededFiles<File> {
  const file = listed.find((entry) => entry.path === path);
  if (file !== undefined) return filesOf(repository, listed, file);
  const prefix = path === undefined ? '' : `${path}/`;
  const inside = listed.filter((entry) => entry.path.startsWith(prefix));
  const flat = inside.filter((entry) => !entry.path.includes('/', prefix.length));
  const nameOf = (entry: Listed) => entry.path.slice(prefix.length);
  const at = path === undefined ? {} : { path };

  const container = CONTAINERS.find(({ single, index, numbered }) =>
    flat.some((entry) => [single, index].includes(nameOf(entry)) || numbered.test(nameOf(entry))),
  );
  if (container !== undefined) {
    const { single, index, extension } = container;
    const isWhole = flat.some((entry) => nameOf(entry) === single);
    const isWeights = (name: string) =>
      isWhole ? name === single : name === index || (name.endsWith(extension) && /-of-\d+\./.test(name));
    const names = new Set(flat.map(nameOf));
    const files = inside.filter((entry) => {
      const name = nameOf(entry);
      const isCompanion = COMPANIONS.has(name) || isTokenizerFile(name, (other) => names.has(other));
      return isCompanion || (names.has(name) && isWeights(name));
    });
    return { files, ...at, format: 'checkpoint' };
  }
  const ggufs = firstShards(ggufModels(flat));
  const bundles = inside
    .filter((entry) => BUNDLE_IN_FOLDER.test(nameOf(entry)))
    .map((entry) => entry.path.slice(0, -BUNDLE_MANIFEST.length - 1));
  const graphs = inside.filter((entry) => GRAPH.test(nameOf(entry))).map((entry) => entry.path);
  const choices = [...ggufs.map((entry) => entry.path), ...graphs, ...bundles];
  // Graphs come together: they share config and tokenizer.
  if (choices.length > Math.max(1, graphs.length)) throw ambiguous(repository, choices);
  if (ggufs[0] !== undefined) return filesOf(repository, listed, ggufs[0]);
  if (bundles[0] !== undefined) return modelFiles(repository, listed, bundles[0]);
  if (flat.some((entry) => nameOf(entry) === BUNDLE_MANIFEST))
    return { files: inside, ...at, format: 'bundle' };
  if (inside.some((entry) => entry.path.endsWith('.onnx'))) {
    const files = inside.filter((entry) => flat.includes(entry) || nameOf(entry).startsWith(GRAPHS));
    return { files, ...at, format: 'onnx' };
  }
  if (flat.some((entry) => nameOf(entry) === ADAPTER_CONFIG)) {
    throw adapterAsSource(repository, path === undefined ? repository : `hf://${repository}/${path}`);
  }
  throw invalidInput({ file: repository, what: 'no model in this repository', expected: MODELS });
}

const MODELS = 'config.json and weights, a .gguf file, an ONNX graph or a bundle';

/** Names of GGUF files that come with a model; of files on the Hub the header is not at hand. */
const COMPANION_GGUF = /(^|[-_.])imatrix[-_.]|^mmproj[-_.]/i;

/** GGUF files that are models, as far as their names tell. */
function ggufModels<File extends Listed>(files: readonly File[]): readonly File[] {
  const nameOf = ({ path }: Listed) => path.slice(path.lastIndexOf('/') + 1);
  const all = files.filter((file) => /^[^.].*\.gguf$/i.test(nameOf(file)));
  const models = all.filter((file) => !COMPANION_GGUF.test(nameOf(file)));
  return models.length === 0 ? all : models;
}

/** What one named file needs beside itself. */
function filesOf<File extends Listed>(
  repository: string,
  listed: readonly File[],
  file: File,
): NeededFiles<File> {
  const folder = file.path.slice(0, file.path.lastIndexOf('/') + 1);
  const name = file.path.slice(folder.length);
  if (/\.gguf$/i.test(name)) {
    const names = new Set(siblingShardNames(name) ?? [name]);
    const files = listed.filter(
      (entry) => entry.path.startsWith(folder) && names.has(entry.path.slice(folder.length)),
    );
    return { files, path: file.path, format: 'gguf' };
  }
  if (/\.onnx$/i.test(name)) {
    // Config and tokenizer lie beside the folder of graphs.
    const root = folder.endsWith(GRAPHS) ? folder.slice(0, -GRAPHS.length) : folder;
    const files = listed.filter(
      (entry) => entry.path.startsWith(folder) || !entry.path.slice(root.length).includes('/'),
    );
    return { files: files.filter((entry) => entry.path.startsWith(root)), path: file.path, format: 'onnx' };
  }
  if (name === BUNDLE_MANIFEST) return modelFiles(repository, listed, folder.slice(0, -1));
  throw usage(`${file.path} is a part of a model`, 'the folder that holds it');
}

/** Models among GGUF files: of a split one its first shard. */
function firstShards<File extends Listed>(files: readonly File[]): File[] {
  return files.filter(({ path }) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return (siblingShardNames(name)?.[0] ?? name) === name;
  });
}

function ambiguous(repository: string, choices: readonly string[]): PressError {
  return usage(
    `${repository} holds ${choices.length} models: ${choices.join(', ')}`,
    `one of them, as hf://${repository}/${choices[0]!}`,
  );
}

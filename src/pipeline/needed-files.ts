import { siblingShardNames } from '../../formats/gguf/shards.ts';
import { CONTAINERS } from '../../formats/hf/container.ts';
import { invalidInput, usage } from '../core/errors.ts';
import { MANIFEST_NAME } from './manifest.ts';

/** A file in a listing, by its path with forward slashes. */
interface Listed {
  readonly path: string;
}

/** Files of a checkpoint beside its weights. */
const COMPANIONS = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'chat_template.json',
  'added_tokens.json',
  'README.md',
]);
/** What a tokenizer is made of where there is no tokenizer.json. */
const TOKENIZER_PARTS = new Set(['vocab.json', 'merges.txt']);
/** Folder of further chat templates. */
const TEMPLATES = 'additional_chat_templates/';
const BUNDLE_MANIFEST = 'manifest.json';
const GRAPHS = 'onnx/';

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
    const isWholeTokenizer = flat.some((entry) => nameOf(entry) === 'tokenizer.json');
    const isTokenizer = (name: string) => !isWholeTokenizer && TOKENIZER_PARTS.has(name);
    const isNeeded = (name: string) => COMPANIONS.has(name) || isTokenizer(name) || isWeights(name);
    const files = inside.filter(
      (entry) => (flat.includes(entry) && isNeeded(nameOf(entry))) || nameOf(entry).startsWith(TEMPLATES),
    );
    return { files, ...at, format: 'checkpoint' };
  }
  const onlyGguf = firstOf(
    repository,
    flat.filter((entry) => entry.path.endsWith('.gguf')),
  );
  if (onlyGguf !== undefined) return filesOf(repository, listed, onlyGguf);
  if (flat.some((entry) => nameOf(entry) === BUNDLE_MANIFEST))
    return { files: inside, ...at, format: 'bundle' };
  if (inside.some((entry) => entry.path.endsWith('.onnx'))) {
    const files = inside.filter((entry) => flat.includes(entry) || nameOf(entry).startsWith(GRAPHS));
    return { files, ...at, format: 'onnx' };
  }
  throw invalidInput({ file: repository, what: 'no model in this repository', expected: MODELS });
}

const MODELS = 'config.json and weights, a .gguf file, an ONNX graph or a bundle';

/** What one named file needs beside itself. */
function filesOf<File extends Listed>(
  repository: string,
  listed: readonly File[],
  file: File,
): NeededFiles<File> {
  const folder = file.path.slice(0, file.path.lastIndexOf('/') + 1);
  const name = file.path.slice(folder.length);
  if (name.endsWith('.gguf')) {
    const names = new Set(siblingShardNames(name) ?? [name]);
    const files = listed.filter(
      (entry) => entry.path.startsWith(folder) && names.has(entry.path.slice(folder.length)),
    );
    return { files, path: file.path, format: 'gguf' };
  }
  if (name.endsWith('.onnx')) {
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

/** The one model among GGUF files: of a split model, its first shard. */
function firstOf<File extends Listed>(repository: string, files: readonly File[]): File | undefined {
  const models = files.filter(({ path }) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return (siblingShardNames(name)?.[0] ?? name) === name;
  });
  if (models.length < 2) return models[0];
  const names = models.map(({ path }) => path).join(', ');
  throw usage(
    `${repository} holds ${models.length} models: ${names}`,
    `one of them, as hf://${repository}/${models[0]!.path}`,
  );
}

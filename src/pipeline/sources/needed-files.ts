import { posix } from 'node:path';
import { siblingShardNames } from '../../../formats/gguf/container/shards.ts';
import { CONTAINERS } from '../../../formats/hf/container.ts';
import { isTokenizerFile } from '../../../formats/hf/tokenizer-files.ts';
import { GRAPH_FOLDER } from '../../../formats/onnx/folder/graph-file.ts';
import { graphPlace, graphsAmong, isOfOtherGraph } from '../../../formats/onnx/import/locate.ts';
import { adapterAsSource } from '../../../formats/peft/adapter.ts';
import { MANIFEST_FILE } from '../../../formats/webgpu/file-names.ts';
import { holdsBundle, isBundleAmong } from '../../../formats/webgpu/import/locate.ts';
import { invalidInput, type PressError, usage } from '../../core/errors.ts';
import { ADAPTER_CONFIG } from '../../core/lora.ts';
import { MANIFEST_NAME } from '../record/manifest.ts';

/** A file in a listing, by its path with forward slashes. */
interface Listed {
  readonly path: string;
}

/** Files of a checkpoint beside its weights and its tokenizer. */
const COMPANIONS = new Set(['config.json', 'generation_config.json', 'README.md']);

/** The model of a repository: the files that opening it takes, and where it is among them. */
export interface NeededFiles<File extends Listed> {
  readonly files: readonly File[];
  /** Path in the repository, of a file or a folder; left out: the root. */
  readonly path?: string;
  readonly format: 'checkpoint' | 'gguf' | 'onnx' | 'bundle';
  /**
   * Paths of graphs. Several come together, since they share config and tokenizer; one of them is the model.
   */
  readonly graphs?: readonly string[];
}

/**
 * Picks what a model needs out of all that a repository holds. `path` names a file or a folder of it.
 * Checkpoints come before graphs that lie beside them, as in folders. The record of plmpress comes along
 * where there is one.
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
  if (file !== undefined) return filesOf(listed, file);
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
  const names = flat.map(nameOf);
  const folders = entriesOfFolders(inside.map(nameOf));
  const ggufs = firstShards(ggufModels(flat));
  const graphs = graphsAmong(names, folders.get(GRAPH_FOLDER) ?? []).map((graph) => `${prefix}${graph}`);
  const bundles = [...folders].filter(([name, entries]) => isBundleAmong(name, entries));
  const isBundle = holdsBundle(names);
  const choices = [
    ...(isBundle ? [`${prefix}${MANIFEST_FILE}`] : []),
    ...ggufs.map((entry) => entry.path),
    ...graphs,
    ...bundles.map(([name]) => `${prefix}${name}`),
  ];
  // Graphs come together: they share config and tokenizer.
  if (choices.length > Math.max(1, graphs.length)) throw severalModels(repository, choices);
  if (isBundle) return { files: flat, ...at, format: 'bundle' };
  if (ggufs[0] !== undefined) return filesOf(listed, ggufs[0]);
  if (bundles[0] !== undefined) return modelFiles(repository, listed, choices[0]);
  if (graphs.length > 0) {
    const isBeside = (name: string) => !name.includes('/') || name.startsWith(`${GRAPH_FOLDER}/`);
    const files = inside.filter((entry) => isBeside(nameOf(entry)));
    return { files, ...at, format: 'onnx', graphs };
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

/** The names of what lies in folders, by the names of these. */
function entriesOfFolders(paths: readonly string[]): Map<string, string[]> {
  const folders = new Map<string, string[]>();
  for (const path of paths) {
    const [folder = '', entry, deeper] = path.split('/');
    if (entry === undefined || deeper !== undefined) continue;
    const entries = folders.get(folder);
    if (entries === undefined) folders.set(folder, [entry]);
    else entries.push(entry);
  }
  return folders;
}

/** Whether a file holds weights of a checkpoint or a GGUF, as far as its name tells. */
function isWeights(name: string): boolean {
  return /\.gguf$/i.test(name) || CONTAINERS.some(({ extension }) => name.endsWith(extension));
}

/** What one named file needs beside itself. */
function filesOf<File extends Listed>(listed: readonly File[], file: File): NeededFiles<File> {
  const { dir, base: name } = posix.parse(file.path);
  const beside = listed.filter((entry) => posix.parse(entry.path).dir === dir);
  if (/\.gguf$/i.test(name)) {
    const names = new Set(siblingShardNames(name) ?? [name]);
    const files = beside.filter((entry) => names.has(posix.basename(entry.path)));
    return { files, path: file.path, format: 'gguf' };
  }
  if (/\.onnx$/i.test(name)) {
    const { root } = graphPlace(file.path, posix);
    const names = new Set(beside.map((entry) => posix.basename(entry.path)));
    const files = listed.filter((entry) => {
      const { dir: folder, base } = posix.parse(entry.path);
      return folder === dir ? !isOfOtherGraph(base, name, names) : folder === root && !isWeights(base);
    });
    return { files, path: file.path, format: 'onnx', graphs: [file.path] };
  }
  if (name === MANIFEST_FILE) return { files: beside, path: file.path, format: 'bundle' };
  throw usage(`${file.path} is a part of a model`, 'the folder that holds it');
}

/** Models among GGUF files: of a split one its first shard. */
function firstShards<File extends Listed>(files: readonly File[]): File[] {
  return files.filter(({ path }) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return (siblingShardNames(name)?.[0] ?? name) === name;
  });
}

/** The error for a repository in which a model has to be named. */
export function severalModels(repository: string, choices: readonly string[]): PressError {
  return usage(
    `${repository} holds ${choices.length} models: ${choices.join(', ')}`,
    `one of them, as hf://${repository}/${choices[0]!}`,
  );
}

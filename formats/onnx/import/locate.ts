import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { invalidInput, localIo, usage } from '../../../src/core/errors.ts';
import { graphAlias } from '../export.ts';
import { GRAPH_FOLDER, graphFileName } from '../folder/graph-file.ts';
import { ONNX_SCHEMES } from '../schemes.ts';

/** Where the parts of an ONNX artifact are. */
export interface OnnxPlace {
  /** The folder of config and tokenizer. */
  readonly root: string;
  /** The folder of the graph and its weights: `root` itself or `onnx` in it. */
  readonly graphs: string;
  /** File name of the graph. */
  readonly graph: string;
}

/** Whether `folder` is one of graphs, or holds one. Folders of checkpoints with graphs beside them are checkpoints. */
export async function isOnnxFolder(folder: string): Promise<boolean> {
  return (await graphNames(await graphFolder(folder))).length > 0;
}

/**
 * Finds the graph that `spec` means: a file, or a folder with one.
 * @throws PressError usage where a folder holds several, invalid-input where it holds none.
 */
export async function locateOnnx(spec: string): Promise<OnnxPlace> {
  const stats = await stat(spec).catch((error) => {
    throw localIo(spec, error);
  });
  if (!stats.isDirectory()) return placeOf(path.dirname(path.resolve(spec)), path.basename(spec));
  const folder = await graphFolder(path.resolve(spec));
  const names = await graphNames(folder);
  if (names.length === 0) throw invalidInput({ file: spec, what: 'no .onnx file in this folder' });
  if (names.length > 1) {
    throw usage(`${spec} holds ${names.length} graphs, name one of them: ${names.join(', ')}`);
  }
  return placeOf(folder, names[0]!);
}

function placeOf(graphs: string, graph: string): OnnxPlace {
  const root = path.basename(graphs) === GRAPH_FOLDER ? path.dirname(graphs) : graphs;
  return { root, graphs, graph };
}

async function graphFolder(folder: string): Promise<string> {
  const inner = path.join(folder, GRAPH_FOLDER);
  const stats = await stat(inner).catch(() => undefined);
  return stats?.isDirectory() ? inner : folder;
}

/** Second names of graphs, by which folders that hold their first ones do not count. */
const ALIASES = new Map(
  ONNX_SCHEMES.map(({ name, dtype }) => [graphAlias(name), graphFileName(dtype)] as const).filter(
    ([alias, name]) => alias !== name,
  ),
);

/** Graphs of a folder, each by one name. */
async function graphNames(folder: string): Promise<string[]> {
  const entries = await readdir(folder).catch((error) => {
    throw localIo(folder, error);
  });
  // Hidden files are no graphs: macOS writes `._model.onnx` beside each on other file systems.
  const names = entries.filter((name) => /^[^.].*\.onnx$/i.test(name)).sort();
  return names.filter((name) => !names.includes(ALIASES.get(name) ?? ''));
}

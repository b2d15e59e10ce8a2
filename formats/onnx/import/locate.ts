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

/**
 * Finds the graph that `spec` means: a file, or a folder with one.
 * @throws PressError usage where a folder holds several, invalid-input where it holds none.
 */
export async function locateOnnx(spec: string): Promise<OnnxPlace> {
  const stats = await stat(spec).catch((error) => {
    throw localIo(spec, error);
  });
  if (!stats.isDirectory()) return placeOf(path.dirname(path.resolve(spec)), path.basename(spec));
  const [graph, ...others] = await graphPaths(spec);
  if (graph === undefined) throw invalidInput({ file: spec, what: 'no .onnx file in this folder' });
  if (others.length > 0) {
    const names = [graph, ...others].join(', ');
    throw usage(`${spec} holds ${others.length + 1} graphs, name one of them: ${names}`);
  }
  const file = path.resolve(spec, graph);
  return placeOf(path.dirname(file), path.basename(file));
}

function placeOf(graphs: string, graph: string): OnnxPlace {
  const root = path.basename(graphs) === GRAPH_FOLDER ? path.dirname(graphs) : graphs;
  return { root, graphs, graph };
}

/** Second names of graphs, by which folders that hold their first ones do not count. */
const ALIASES = new Map(
  ONNX_SCHEMES.map(({ name, dtype }) => [graphAlias(name), graphFileName(dtype)] as const).filter(
    ([alias, name]) => alias !== name,
  ),
);

/**
 * Paths of the graphs in a folder and in `onnx` there, with forward slashes, each by one name.
 * @throws PressError local-io where the folder cannot be read.
 */
export async function graphPaths(folder: string): Promise<string[]> {
  const inner = path.join(folder, GRAPH_FOLDER);
  const isThere = await stat(inner).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  const inside = isThere ? await graphNames(inner) : [];
  return [...(await graphNames(folder)), ...inside.map((name) => `${GRAPH_FOLDER}/${name}`)];
}

async function graphNames(folder: string): Promise<string[]> {
  const entries = await readdir(folder).catch((error) => {
    throw localIo(folder, error);
  });
  // Hidden files are not graphs: macOS writes `._model.onnx` beside each on other file systems.
  const names = entries.filter((name) => /^[^.].*\.onnx$/i.test(name)).sort();
  return names.filter((name) => !names.includes(ALIASES.get(name) ?? ''));
}

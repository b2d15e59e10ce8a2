import { readdir, stat } from 'node:fs/promises';
import path, { type PlatformPath } from 'node:path';
import { invalidInput, localIo, usage } from '../../../src/core/errors.ts';
import { graphAlias } from '../export.ts';
import { GRAPH_FOLDER, graphFileName } from '../folder/graph-file.ts';
import { ONNX_SCHEMES } from '../schemes.ts';

/** The places of the parts of an ONNX artifact. */
export interface OnnxPlace {
  /** The folder of config and tokenizer. */
  readonly root: string;
  /** Path of the graph there, with forward slashes; its weights lie beside it. */
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
  if (!stats.isDirectory()) return graphPlace(path.resolve(spec));
  const [graph, ...others] = await graphPaths(spec);
  if (graph === undefined) throw invalidInput({ file: spec, what: 'no .onnx file in this folder' });
  if (others.length > 0) {
    const names = [graph, ...others].join(', ');
    throw usage(`${spec} contains ${others.length + 1} graphs, name one of them: ${names}`);
  }
  return graphPlace(path.resolve(spec, graph));
}

/**
 * The place of a graph, by its path: config and tokenizer lie beside it, or beside its folder where that is
 * `onnx`.
 */
export function graphPlace(file: string, { parse }: PlatformPath = path): OnnxPlace {
  const { dir, base: graph } = parse(file);
  const outer = parse(dir);
  if (outer.base !== GRAPH_FOLDER) return { root: dir, graph };
  return { root: outer.dir, graph: `${GRAPH_FOLDER}/${graph}` };
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
  return graphsAmong(await entriesOf(folder), isThere ? await entriesOf(inner) : []);
}

function entriesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch((error) => {
    throw localIo(folder, error);
  });
}

/** As `graphPaths`, by the names of what lies in the folder and in `onnx` there. */
export function graphsAmong(names: readonly string[], inner: readonly string[]): string[] {
  return [...graphNames(names), ...graphNames(inner).map((name) => `${GRAPH_FOLDER}/${name}`)];
}

/**
 * Whether the file `name` beside the graph `graph` is another graph or holds weights of one, as far as names
 * tell: those of `<graph>` are in `<graph>_data`, `<graph>_data_1` and so on. `names`: all that lies there.
 */
export function isOfOtherGraph(name: string, graph: string, names: ReadonlySet<string>): boolean {
  const [, owner] = /^(.+\.onnx)(?:_data(?:_\d+)?)?$/i.exec(name) ?? [];
  if (owner === undefined || !names.has(owner)) return false;
  return (ALIASES.get(owner) ?? owner) !== (ALIASES.get(graph) ?? graph);
}

function graphNames(entries: readonly string[]): string[] {
  // Hidden files are not graphs: macOS writes `._model.onnx` beside each on other file systems.
  const names = entries.filter((name) => /^[^.].*\.onnx$/i.test(name)).sort();
  return names.filter((name) => !names.includes(ALIASES.get(name) ?? ''));
}

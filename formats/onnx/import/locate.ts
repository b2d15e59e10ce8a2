import path, { type PlatformPath } from 'node:path';
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
 * Paths of graphs, with forward slashes, each by one name: by the names of what lies in a folder and in
 * `onnx` there.
 */
export function graphsAmong(names: readonly string[], inner: readonly string[]): string[] {
  return [...graphNames(names), ...graphNames(inner).map((name) => `${GRAPH_FOLDER}/${name}`)];
}

/**
 * The graph that a file is, or whose weights it has: those of `<graph>` are in `<graph>_data`, `<graph>_data_1`
 * and so on. Undefined for other names.
 */
export function graphOf(name: string): string | undefined {
  return /^(.+\.onnx)(?:_data(?:_\d+)?)?$/i.exec(name)?.[1];
}

/** The first name of a graph that may have two. */
export function firstNameOf(graph: string): string {
  return ALIASES.get(graph) ?? graph;
}

function graphNames(entries: readonly string[]): string[] {
  // Hidden files are not graphs: macOS writes `._model.onnx` beside each on other file systems.
  const names = entries.filter((name) => /^[^.].*\.onnx$/i.test(name)).sort();
  return names.filter((name) => !names.includes(ALIASES.get(name) ?? ''));
}

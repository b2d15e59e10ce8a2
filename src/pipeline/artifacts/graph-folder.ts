import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  type CacheShape,
  GRAPH_FOLDER,
  type GraphFile,
  graphFileName,
} from '../../../formats/onnx/folder/graph-file.ts';
import { companionFiles } from '../../../formats/onnx/folder/index.ts';
import { ONNX_SCHEMES } from '../../../formats/onnx/schemes.ts';
import { PressError, unsupported } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import { firstNames } from '../../core/text/name-list.ts';
import { targetFormat } from '../formats/index.ts';
import { listingAt } from '../formats/model-at.ts';
import { ONNX } from '../formats/onnx.ts';
import type { Target } from '../planning/planned-target.ts';
import { MANIFEST_NAME, type Manifest, type ManifestArtifact } from '../record/manifest.ts';

/** The file beside the graphs of a folder that lists them. */
export const GRAPH_LIST = 'config.json';

/** A graph in an ONNX folder. */
export interface FolderGraph {
  readonly target: string;
  readonly graph: GraphFile;
}

/**
 * Adds the files that list all graphs of a folder, those of `targets` and then `others`, to the first target
 * that is a graph. These files depend on the graphs and on their order, so if there are several, the target
 * records them.
 */
export function withCompanions(targets: readonly Target[], others: readonly FolderGraph[] = []): Target[] {
  const own = targets.flatMap(({ graph, plan: { target } }) =>
    graph === undefined ? [] : { target, graph },
  );
  const first = targets.find(({ graph }) => graph !== undefined);
  if (first === undefined) return [...targets];
  const graphs = [...own, ...others];
  const { files, notes } = companionFiles(
    first.model,
    graphs.map(({ graph }) => graph),
  );
  const planned = files.map(({ name, text }) => {
    const bytes = new TextEncoder().encode(text);
    return { name, bytes: bytes.length, head: [{ offset: 0, bytes }], tensors: [] };
  });
  const { plan, options } = first;
  const whole: Target = {
    ...first,
    plan: {
      ...plan,
      files: [...plan.files.filter(({ name }) => isOfGraph(name)), ...planned],
      notes: [...new Set([...plan.notes, ...notes])],
    },
    options: { ...options, ...(graphs.length > 1 && { graphs: graphs.map(({ target }) => target) }) },
  };
  return targets.map((target) => (target === first ? whole : target));
}

/** Whether a file of an artifact is a graph or its weights, not a file that lists all graphs. */
function isOfGraph(file: string): boolean {
  return file.startsWith(`${GRAPH_FOLDER}/`);
}

/**
 * A graph from its record, which does not contain the shape of the cache. Throws `unsupported` for a scheme
 * that this version does not know.
 */
export function recordedGraph({ target, files }: ManifestArtifact, cache: CacheShape): FolderGraph {
  const scheme = ONNX_SCHEMES.find(({ name }) => target === `onnx:${name}`);
  if (scheme === undefined) {
    throw unsupported({ file: MANIFEST_NAME, field: target, what: 'this version knows no such scheme' });
  }
  const { dtype } = scheme;
  const name = graphFileName(dtype);
  const dataFiles = files.filter((file) => file.startsWith(`${GRAPH_FOLDER}/${name}_data`)).length;
  return { target, graph: { dtype, name, dataFiles, cache } };
}

/** Targets for a folder that may hold graphs of earlier runs. */
export interface FolderTargets {
  /** The files beside the first graph also list the earlier graphs. */
  readonly targets: readonly Target[];
  /** The record of the folder, in which earlier graphs no longer own the files that list all graphs. */
  readonly previous: Manifest | undefined;
  /** Earlier graphs that stay, as the record has them. */
  readonly kept: readonly ManifestArtifact[];
  /** Notes about graphs in the folder that no file lists, one line each. */
  readonly notes: readonly string[];
}

/**
 * Makes `targets` also list the graphs that `folder` has by its record `previous` and that they do not
 * replace.
 * @throws PressError `local-io` where such a graph needs other files beside it: it is of another source, or
 * was made with other passes or another cache. `unsupported` as `recordedGraph` does.
 */
export async function besideEarlier(
  targets: readonly Target[],
  model: Model,
  folder: string,
  previous: Manifest | undefined,
): Promise<FolderTargets> {
  const first = targets.find(({ graph }) => graph !== undefined);
  if (first === undefined) return { targets, previous, kept: [], notes: [] };
  const written = new Set(targets.flatMap(({ plan }) => plan.files.map(({ name }) => name)));
  const kept: ManifestArtifact[] = [];
  const gone: ManifestArtifact[] = [];
  for (const artifact of previous?.artifacts ?? []) {
    const graphs = targetFormat(artifact.target) === 'onnx' ? artifact.files.filter(isOfGraph) : [];
    if (graphs.length === 0 || graphs.some((file) => written.has(file))) continue;
    ((await areThere(folder, graphs)) ? kept : gone).push(artifact);
  }
  for (const artifact of kept) assertSameFolder(artifact, model, first);
  const found = await listingAt(folder).then(ONNX.locate, () => []);
  const told = new Set([...written, ...kept.flatMap(({ files }) => files)]);
  const untold = found.filter((file) => isOfGraph(file) && !told.has(file));
  const others = kept.map((artifact) => recordedGraph(artifact, first.graph!.cache));
  return {
    targets: others.length === 0 ? targets : withCompanions(targets, others),
    previous: previous && handOver(previous, kept, gone),
    kept,
    notes: [
      ...(gone.length === 0
        ? []
        : [
            `graphs whose files are missing, which are not listed any more: ${firstNames(gone.map(({ target }) => target))}`,
          ]),
      ...(untold.length === 0
        ? []
        : [`graphs that neither ${GRAPH_LIST} nor ${MANIFEST_NAME} will list: ${firstNames(untold)}`]),
    ],
  };
}

async function areThere(folder: string, files: readonly string[]): Promise<boolean> {
  const stats = await Promise.all(
    files.map((file) => lstat(path.join(folder, ...file.split('/'))).catch(() => undefined)),
  );
  return stats.every((found) => found?.isFile());
}

/**
 * The files beside graphs hold the geometry, the tokenizer and the shape of the cache, for all graphs the
 * same.
 */
function assertSameFolder(artifact: ManifestArtifact, model: Model, first: Target): void {
  const made = difference(artifact, model, first);
  if (made === undefined) return;
  const { target } = artifact;
  throw new PressError('local-io', {
    file: GRAPH_LIST,
    what: `cannot also serve ${target}, which is in this folder and was made ${made}: add --to ${target}, or choose another folder`,
  });
}

/** How a graph was made that is not made as `first`; undefined where the files beside them are the same. */
function difference(
  { source, options, passes, changes }: ManifestArtifact,
  model: Model,
  first: Target,
): string | undefined {
  const sizes = (files: readonly { readonly name: string; readonly bytes: number }[]) =>
    files.map(({ name, bytes }) => [name, bytes]);
  if (!isDeepStrictEqual(sizes(source.files), sizes(model.files))) return 'from another source';
  if (options.cache !== first.options.cache) return 'with another --cache';
  // Passes that use statistics give other results with other statistics.
  const ours = JSON.parse(JSON.stringify([first.passes, first.model.changes]));
  return isDeepStrictEqual([passes, changes], ours) ? undefined : 'with other passes';
}

/** `manifest` where the graphs `kept` are only themselves, and without those that are `gone`. */
function handOver(
  manifest: Manifest,
  kept: readonly ManifestArtifact[],
  gone: readonly ManifestArtifact[],
): Manifest {
  const artifacts = manifest.artifacts
    .filter((artifact) => !gone.includes(artifact))
    .map((artifact) => {
      if (!kept.includes(artifact)) return artifact;
      const { graphs: _, ...options } = artifact.options;
      return { ...artifact, options, files: artifact.files.filter(isOfGraph) };
    });
  const listed = new Set(artifacts.flatMap(({ files }) => files));
  return { ...manifest, files: manifest.files.filter(({ path: name }) => listed.has(name)), artifacts };
}

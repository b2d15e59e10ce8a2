import path from 'node:path';
import { readGgufModel } from '../../formats/gguf/import.ts';
import { readHfFolder } from '../../formats/hf/import.ts';
import type { Model } from '../core/model.ts';
import type { HubSource } from '../hub/hub-source.ts';
import { remoteFolder } from '../hub/remote-folder.ts';
import type { HubRun } from '../hub/run.ts';
import { openTree, takeSnapshot } from '../hub/snapshot.ts';
import type { HubTree } from '../hub/tree.ts';
import { filesToFetch, modelOnHub } from './hub-model.ts';
import { hubSourceOf, neitherHereNorThere } from './missing-source.ts';

/** A source on the Hub, and the commit that it means. */
export interface FoundOnHub {
  readonly run: HubRun;
  readonly source: HubSource;
  readonly tree: HubTree;
}

/**
 * Looks up what a spec that is no path on this machine means on the Hub.
 * @throws PressError `local-io` where it must be a path, `usage` for an address of something else, `network` where the
 * Hub does not have it.
 */
export async function findOnHub(spec: string, run: HubRun): Promise<FoundOnHub> {
  const source = await hubSourceOf(spec, run.settings.endpoint);
  const tree = await openTree(run, source).catch(async (error) => {
    throw await neitherHereNorThere(spec, error);
  });
  return { run, source, tree };
}

/**
 * Brings the model that a source on the Hub means into the cache, and returns its path there.
 * @throws PressError `network`, `local-io` as src/hub does; and as `modelOnHub` does.
 */
export async function fetchFromHub({ run, source, tree }: FoundOnHub): Promise<string> {
  const needed = modelOnHub(tree, source);
  const files = await filesToFetch(run, tree, needed);
  const folder = await takeSnapshot({ ...run, source, tree, files });
  return path.join(folder, ...(needed.path?.split('/') ?? []));
}

/**
 * Opens a checkpoint or a GGUF where it is on the Hub: of weights, ranges are read when they are needed. Undefined for
 * graphs and bundles, which are opened from files, and offline.
 */
export async function openOnHub({ run, source, tree }: FoundOnHub): Promise<Model | undefined> {
  if (run.settings.offline) return undefined;
  const { path: inside, format } = modelOnHub(tree, source);
  if (format === 'checkpoint') return readHfFolder(remoteFolder(run, tree, inside));
  if (format !== 'gguf') return undefined;
  const { dir, base } = path.posix.parse(inside!);
  const folder = remoteFolder(run, tree, dir === '' ? undefined : dir);
  const model = await readGgufModel(base, (name) => folder.open(name));
  return { ...model, ...(folder.origin && { origin: folder.origin }) };
}

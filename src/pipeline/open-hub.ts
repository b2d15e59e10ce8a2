import path from 'node:path';
import { readGgufModel } from '../../formats/gguf/import.ts';
import { readHfFolder } from '../../formats/hf/import.ts';
import type { Model } from '../core/model.ts';
import type { HubSource } from '../hub/hub-source.ts';
import { remoteFolder } from '../hub/remote-folder.ts';
import type { HubRun } from '../hub/run.ts';
import { takeSnapshot } from '../hub/snapshot.ts';
import type { HubTree } from '../hub/tree.ts';
import { filesToFetch, modelOnHub } from './hub-model.ts';

/**
 * Brings the model that a source on the Hub means into the cache, and returns its path there.
 * @throws PressError `network`, `local-io` as src/hub does; and as `modelOnHub` does.
 */
export async function fetchFromHub(run: HubRun, source: HubSource, tree: HubTree): Promise<string> {
  const needed = modelOnHub(tree, source);
  const files = await filesToFetch(run, tree, needed);
  const folder = await takeSnapshot({ ...run, source, tree, files });
  return path.join(folder, ...(needed.path?.split('/') ?? []));
}

/**
 * Opens a checkpoint or a GGUF where it is on the Hub: of weights, ranges are read when they are needed. Undefined for
 * graphs and bundles, which are opened from files, and offline.
 */
export async function openOnHub(run: HubRun, source: HubSource, tree: HubTree): Promise<Model | undefined> {
  if (run.settings.offline) return undefined;
  const { path: inside, format } = modelOnHub(tree, source);
  if (format === 'checkpoint') return readHfFolder(remoteFolder(run, tree, inside));
  if (format !== 'gguf') return undefined;
  const { dir, base } = path.posix.parse(inside!);
  const folder = remoteFolder(run, tree, dir === '' ? undefined : dir);
  const model = await readGgufModel(base, (name) => folder.open(name));
  return { ...model, ...(folder.origin && { origin: folder.origin }) };
}

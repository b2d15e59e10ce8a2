import path from 'node:path';
import { readGgufModel } from '../../formats/gguf/import.ts';
import { readHfFolder } from '../../formats/hf/import.ts';
import type { Model } from '../core/model.ts';
import type { HubSource } from '../hub/hub-source.ts';
import { remoteFolder } from '../hub/remote-folder.ts';
import type { HubRun } from '../hub/run.ts';
import { openTree, takeSnapshot } from '../hub/snapshot.ts';
import { neededFiles } from './needed-files.ts';

/**
 * Brings the model that a source on the Hub means into the cache, and returns its path there.
 * @throws PressError `network`, `local-io` as src/hub does; `usage` and `invalid-input` as `neededFiles` does.
 */
export async function fetchFromHub(run: HubRun, source: HubSource): Promise<string> {
  const tree = await openTree(run, source);
  const { files, path: inside } = neededFiles(tree.repository, tree.files, source.path);
  const folder = await takeSnapshot({ ...run, source, tree, files });
  return path.join(folder, ...(inside?.split('/') ?? []));
}

/**
 * Opens a checkpoint or a GGUF where it is on the Hub: of weights, ranges are read when they are needed. Undefined for
 * graphs and bundles, which are opened from files.
 */
export async function openOnHub(run: HubRun, source: HubSource): Promise<Model | undefined> {
  const tree = await openTree(run, source);
  const { path: inside, format } = neededFiles(tree.repository, tree.files, source.path);
  if (format === 'checkpoint') return readHfFolder(remoteFolder(run, tree, inside));
  if (format !== 'gguf') return undefined;
  const { dir, base } = path.posix.parse(inside!);
  const folder = remoteFolder(run, tree, dir === '' ? undefined : dir);
  const model = await readGgufModel(base, (name) => folder.open(name));
  return { ...model, ...(folder.origin && { origin: folder.origin }) };
}

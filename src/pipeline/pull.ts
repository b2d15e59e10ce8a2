import type { HubOrigin } from '../core/hub-origin.ts';
import { copyToFolder } from '../hub/cache/local-copy.ts';
import { orFromCache } from '../hub/cache/or-from-cache.ts';
import { openTree, takeSnapshot } from '../hub/cache/snapshot.ts';
import type { HubSource } from '../hub/hub-source.ts';
import type { HubRun } from '../hub/run.ts';
import type { HubFile } from '../hub/tree.ts';
import { filesToFetch, modelOnHub } from './sources/hub-model.ts';

export interface PullOptions extends HubRun {
  readonly source: HubSource;
  /** Put the files here instead of into the cache. */
  readonly output?: string;
  /** Replace files there that have another content. */
  readonly force?: boolean;
  /** Every file of the repository, not only those that its model needs. */
  readonly all?: boolean;
  /** Stop before anything is fetched. */
  readonly dryRun?: boolean;
}

export interface Pull extends HubOrigin {
  /** Where the files are, or would be. */
  readonly folder: string | undefined;
  /**
   * Each with its SHA-256 if Git LFS keeps it, else its git blob id; without either if the cache does not
   * know it offline.
   */
  readonly files: readonly HubFile[];
}

/**
 * Brings a model from the Hub to this machine, into the cache or a folder. Every file has the size and hash
 * that its repository lists, those too that were there before.
 * @throws PressError `network`, `local-io` as src/hub does; and as `modelOnHub` does.
 */
export function pull(options: PullOptions): Promise<Pull> {
  return orFromCache(options, (run) => pullOnce({ ...options, ...run }));
}

async function pullOnce(options: PullOptions): Promise<Pull> {
  const { source, output, force = false, all = false, dryRun = false } = options;
  const tree = await openTree(options, source);
  const files = all ? tree.files : await filesToFetch(options, tree, modelOnHub(tree, source));
  const { repository, revision } = tree;
  if (dryRun) return { repository, revision, folder: output, files };
  if (output === undefined) {
    const folder = await takeSnapshot({ ...options, source, tree, files, thorough: true });
    return { repository, revision, folder, files };
  }
  await copyToFolder({ ...options, tree, files, folder: output, force });
  return { repository, revision, folder: output, files };
}

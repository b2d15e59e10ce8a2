import { copyFile, lstat, realpath, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { localIo, PressError } from '../../core/errors.ts';
import { assertFreeSpace } from '../../io/free-space.ts';
import { TURN_NAME, withLockedFolder } from '../../io/locks/locked-folder.ts';
import { createFolder, removeEmptyFolders } from '../../io/output-folder.ts';
import { Refusals } from '../../io/refusals.ts';
import { renameOver } from '../../io/staging/rename-over.ts';
import { temporaryPath } from '../../io/staging/temporary-file.ts';
import { bytesLeft, download } from '../download.ts';
import { hubFault } from '../http/fault.ts';
import type { HubRun } from '../run.ts';
import type { HubFile, HubTree } from '../tree.ts';
import { RepositoryCache } from './cache.ts';
import { hasContent, inParallel, offline } from './snapshot.ts';
import { waitForLock } from './wait-for-lock.ts';

export interface LocalCopyOptions extends HubRun {
  readonly tree: HubTree;
  readonly files: readonly HubFile[];
  /** Created where missing. */
  readonly folder: string;
  /** Replace existing files with different content. */
  readonly force: boolean;
}

/**
 * Brings files of a commit into a folder, past the cache. Files that have their content already stay.
 * @throws PressError `local-io` where another file has a name that is needed, without `force`; as `download`
 * does.
 */
export async function copyToFolder(options: LocalCopyOptions): Promise<void> {
  const { settings, tree, files, folder } = options;
  const made = await createFolder(folder);
  try {
    // Two pulls into one folder wait for each other. A conversion that runs there is an error.
    const turn = await waitForLock(path.join(folder, TURN_NAME), folder, options);
    try {
      await withLockedFolder(folder, async () => {
        const missing: HubFile[] = [];
        for (const file of files) if (!(await isThere(options, file))) missing.push(file);
        let bytes = 0;
        for (const file of missing)
          bytes += await bytesLeft(file, path.join(folder, ...file.path.split('/')));
        await assertFreeSpace(folder, bytes);
        const refusals = new Refusals();
        await inParallel(missing, options, async (file, signal, onBytes) => {
          const destination = await placeOf(folder, file);
          if (settings.offline) await copyFromCache(options, file, destination);
          if (settings.offline) return onBytes(file.bytes);
          const confirm = () => turn.assertHeld();
          await download({ ...options, origin: tree, file, destination, refusals, signal, onBytes, confirm });
        });
        const note = refusals.note(folder);
        if (note !== undefined) options.progress?.({ kind: 'note', message: note });
      });
    } finally {
      await turn.release();
    }
  } catch (error) {
    await removeEmptyFolders(made);
    throw error;
  }
}

async function isThere({ folder, force, signal }: LocalCopyOptions, file: HubFile): Promise<boolean> {
  const at = path.join(folder, ...file.path.split('/'));
  const stats = await lstat(at).catch(() => undefined);
  if (stats === undefined) return false;
  if (stats.isFile() && file.oid !== undefined && (await hasContent(at, file, signal))) return true;
  if (force && stats.isFile()) return false;
  const what = stats.isFile()
    ? 'exists with different content; --force replaces it'
    : 'is not a regular file';
  throw new PressError('local-io', { file: at, what });
}

/** Copies a file from the cache when offline. */
async function copyFromCache(
  { settings, tree, folder, signal }: LocalCopyOptions,
  file: HubFile,
  destination: string,
): Promise<void> {
  const cached = new RepositoryCache(settings, tree.repository).filePath(tree, file);
  if (!(await isSound(cached, file, signal))) throw offline(`${tree.repository}/${file.path}`);
  const temporary = temporaryPath(path.join(folder, path.basename(destination)));
  try {
    await copyFile(cached, temporary);
    if (!(await isSound(temporary, file, signal))) throw hubFault(cached, 'changes while it is copied');
    await renameOver(temporary, destination);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error instanceof PressError ? error : localIo(destination, error);
  }
}

/** Whether a file has its known hash, or, without a hash, its known size. */
async function isSound(at: string, file: HubFile, signal?: AbortSignal): Promise<boolean> {
  if (file.oid !== undefined) return hasContent(at, file, signal);
  const stats = await stat(at).catch(() => undefined);
  return stats?.isFile() === true && stats.size === file.bytes;
}

/** Where a file goes. Its folders are made, and must not lead out of the one that was asked for. */
async function placeOf(folder: string, file: HubFile): Promise<string> {
  const parts = file.path.split('/');
  const parent = path.join(folder, ...parts.slice(0, -1));
  try {
    await createFolder(parent);
    const [root, real] = [await realpath(folder), await realpath(parent)];
    if (real === path.join(root, ...parts.slice(0, -1))) return path.join(real, parts.at(-1)!);
  } catch (error) {
    throw error instanceof PressError ? error : localIo(parent, error);
  }
  throw new PressError('local-io', { file: parent, what: 'symbolic link that leads out of the folder' });
}

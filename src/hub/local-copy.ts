import { lstat, mkdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { localIo, PressError } from '../core/errors.ts';
import { FileLock } from '../io/file-lock.ts';
import { assertFreeSpace } from '../io/free-space.ts';
import { createFolder, removeEmptyFolders } from '../io/output-folder.ts';
import { LOCK_NAME } from '../io/staged-output.ts';
import { download } from './download.ts';
import type { HubRun } from './run.ts';
import { hasContent, inParallel } from './snapshot.ts';
import type { HubFile, HubTree } from './tree.ts';

export interface LocalCopyOptions extends HubRun {
  readonly tree: HubTree;
  readonly files: readonly HubFile[];
  /** Created where missing. */
  readonly folder: string;
  /** Replace files that are there with another content. */
  readonly force: boolean;
}

/**
 * Brings files of a commit into a folder, past the cache. Files that have their content already stay.
 * @throws PressError `local-io` where another file has a name that is needed, without `force`; as `download` does.
 */
export async function copyToFolder(options: LocalCopyOptions): Promise<void> {
  const { settings, tree, files, folder } = options;
  const made = await createFolder(folder);
  try {
    const lock = await FileLock.acquire(path.join(folder, LOCK_NAME), folder);
    try {
      const missing: HubFile[] = [];
      for (const file of files) if (!(await isThere(options, file))) missing.push(file);
      await assertFreeSpace(
        folder,
        missing.reduce((sum, { bytes }) => sum + bytes, 0),
      );
      await inParallel(missing, options, async (file, signal, onBytes) => {
        const destination = await placeOf(folder, file);
        await download({ settings, origin: tree, file, destination, signal, onBytes });
      });
    } finally {
      await lock.release();
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
  if (stats.isFile() && (await hasContent(at, file, signal))) return true;
  if (force && stats.isFile()) return false;
  const what = stats.isFile() ? 'exists with another content; --force replaces it' : 'is no regular file';
  throw new PressError('local-io', { file: at, what });
}

/** Where a file goes. Its folders are made, and must not lead out of the one that was asked for. */
async function placeOf(folder: string, file: HubFile): Promise<string> {
  const parts = file.path.split('/');
  const parent = path.join(folder, ...parts.slice(0, -1));
  try {
    await mkdir(parent, { recursive: true });
    const [root, real] = [await realpath(folder), await realpath(parent)];
    if (real === path.join(root, ...parts.slice(0, -1))) return path.join(real, parts.at(-1)!);
  } catch (error) {
    throw localIo(parent, error);
  }
  throw new PressError('local-io', { file: parent, what: 'symbolic link that leads out of the folder' });
}

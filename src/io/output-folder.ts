import { mkdir, open, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { localIo, PressError } from '../core/errors.ts';
import { Refusals } from './refusals.ts';

/**
 * Creates `folder` and its missing parents. Returns those it made, innermost first. If it fails, it removes
 * them and throws local-io.
 */
export async function createFolder(folder: string): Promise<readonly string[]> {
  const missing: string[] = [];
  let at = path.resolve(folder);
  while (!(await isFolder(at, folder))) {
    missing.push(at);
    if (path.dirname(at) === at) break;
    at = path.dirname(at);
  }
  // One by one: Node's recursive mkdir never ends where the system reports a missing parent, as in /proc.
  const made: string[] = [];
  try {
    for (const at of missing.reverse()) if (await makeFolder(at, folder)) made.unshift(at);
  } catch (error) {
    await removeEmptyFolders(made);
    throw error;
  }
  return made;
}

/**
 * Whether a folder is at `at`; false where nothing is. Throws local-io, naming `label`, where something else
 * is.
 */
export async function isFolder(at: string, label: string): Promise<boolean> {
  const stats = await stat(at).catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw localIo(label, error);
  });
  if (stats === undefined || stats.isDirectory()) return stats !== undefined;
  throw new PressError('local-io', { file: label, what: 'is not a folder' });
}

/** False if another run has made it first. */
async function makeFolder(at: string, label: string): Promise<boolean> {
  try {
    await mkdir(at);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      if (await isFolder(at, label)) return false;
      throw new PressError('local-io', { file: label, what: 'is a dangling symbolic link' });
    }
    // The parent exists, but is a file system of the kernel, such as /proc.
    if (code === 'ENOENT') {
      throw new PressError('local-io', {
        file: label,
        what: 'its file system does not allow new folders (ENOENT)',
      });
    }
    throw localIo(label, error);
  }
}

/** Removes folders that were made for nothing, in the order given, up to the first that is in use. */
export async function removeEmptyFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    const removed = await rmdir(folder).then(
      () => true,
      () => false,
    );
    if (!removed) return;
  }
}

/**
 * Makes the names in `folder` durable: a rename survives a power failure only after this. If the file system
 * refuses that, it is recorded in `refusals` and nothing is thrown.
 */
export async function syncFolder(folder: string, refusals = new Refusals()): Promise<void> {
  // Windows cannot open folders, and journals names itself.
  if (process.platform === 'win32') return;
  try {
    await refusals.allow('sync', async () => {
      const handle = await open(folder, 'r');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  } catch (error) {
    throw localIo(folder, error);
  }
}

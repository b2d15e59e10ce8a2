import { mkdir, open, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { localIo, PressError } from '../core/errors.ts';
import { Refusals } from './refusals.ts';

/** Creates `folder` and its parents where missing. Returns those it made, innermost first. */
export async function createFolder(folder: string): Promise<readonly string[]> {
  const target = path.resolve(folder);
  let outermost: string | undefined;
  try {
    outermost = await mkdir(target, { recursive: true });
  } catch (error) {
    const isOther = await stat(target).then(
      (stats) => !stats.isDirectory(),
      () => false,
    );
    if (isOther) throw new PressError('local-io', { file: folder, what: 'is not a folder' });
    throw localIo(folder, error);
  }
  const made: string[] = [];
  if (outermost === undefined) return made;
  for (let at = target; at.length >= outermost.length; at = path.dirname(at)) made.push(at);
  return made;
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
 * Makes the names in `folder` durable: a rename survives a power failure only after this. Where the file system does not do that,
 * `refusals` gets to know, and nothing is thrown.
 */
export async function syncFolder(folder: string, refusals = new Refusals()): Promise<void> {
  // Windows opens no folders, and keeps its names in a journal of its own.
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

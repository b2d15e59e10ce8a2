import { constants } from 'node:fs';
import { type FileHandle, lstat, open, unlink } from 'node:fs/promises';

/** Only the owner may read a file that is not complete. */
const MODE = 0o600;
/** Windows has no such flag. */
const FLAGS = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);

/**
 * Opens, for reading and writing, the file that an earlier run has left at `path`, or creates it. A link
 * there, and a file that has a second name elsewhere, is not this program's: it goes, and nothing is written
 * through it.
 */
export async function openOwn(path: string): Promise<FileHandle> {
  const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  if (stats !== undefined && !(stats.isFile() && stats.nlink === 1)) await unlink(path);
  return open(path, FLAGS, MODE);
}

import { lstat, rename, unlink } from 'node:fs/promises';
import { temporaryPath } from './temporary-file.ts';

/** What file systems say that rename nothing over a file. */
const NOT_OVER = ['EEXIST', 'EPERM'];

/**
 * Gives a file the name of another, which goes. Where the file system does not replace files, the other makes room first: for a
 * moment nothing has the name.
 */
export async function renameOver(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    const isThere = await lstat(to).then(
      (stats) => stats.isFile(),
      () => false,
    );
    if (!isThere || !NOT_OVER.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const aside = temporaryPath(to);
    await rename(to, aside);
    try {
      await rename(from, to);
    } catch (error) {
      await rename(aside, to);
      throw error;
    }
    await unlink(aside).catch(() => undefined);
  }
}

import { lstat, rename, unlink } from 'node:fs/promises';
import { temporaryPath } from './temporary-file.ts';

/** Codes of file systems that do not rename over an existing file. */
const NOT_OVER = ['EEXIST', 'EPERM'];

/**
 * Renames a file over another. If the file system cannot replace files, the other is moved away first: then
 * for a moment no file has the name.
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

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { localIo } from '../../core/errors.ts';
import { withLockedFolder } from '../locks/locked-folder.ts';
import { temporaryPath } from './temporary-file.ts';

/**
 * Runs `work` with a hidden folder in `parent`, which goes in any case: at the end or, of a run that was
 * killed, with the next that holds the lock of `parent`, as this one does.
 * @throws PressError as `withLockedFolder` does.
 */
export function withTemporaryFolder<T>(
  parent: string,
  name: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  return withLockedFolder(parent, async () => {
    const folder = temporaryPath(path.join(parent, name));
    await mkdir(folder, { mode: 0o700 }).catch((error) => {
      throw localIo(parent, error);
    });
    try {
      return await work(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

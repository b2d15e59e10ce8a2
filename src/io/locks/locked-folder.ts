import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { removeStaleTemporaries } from '../staging/temporary-file.ts';
import { FileLock } from './file-lock.ts';

/** Of the file that keeps other runs out of a folder. */
export const LOCK_NAME = '.plmpress.lock';
/** Of the lock that runs which wait for each other hold before they take the other. */
export const TURN_NAME = '.plmpress-pull.lock';

/**
 * Runs `work` while this run holds the lock of `folder`, which exists. What runs that have ended have left
 * there goes first.
 * @throws PressError `locked` where another run is at work there; `local-io` where the folder cannot be used.
 */
export async function withLockedFolder<T>(folder: string, work: (lock: FileLock) => Promise<T>): Promise<T> {
  const lock = await FileLock.acquire(path.join(folder, LOCK_NAME), folder);
  try {
    await removeStaleTemporaries(folder, lock);
    await removeStaleTurn(folder);
    return await work(lock);
  } finally {
    await lock.release();
  }
}

/** Removes the lock of a run that was killed while it waited or worked. Best effort: it does no harm. */
async function removeStaleTurn(folder: string): Promise<void> {
  const turn = path.join(folder, TURN_NAME);
  if ((await lstat(turn).catch(() => undefined)) === undefined) return;
  await FileLock.acquire(turn, folder).then(
    (lock) => lock.release(),
    () => undefined,
  );
}

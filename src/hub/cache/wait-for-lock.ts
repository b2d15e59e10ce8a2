import { setTimeout as sleep } from 'node:timers/promises';
import { PressError } from '../../core/errors.ts';
import { FileLock } from '../../io/locks/file-lock.ts';
import type { HubRun } from '../run.ts';

/** Milliseconds between two looks at a lock that another run holds. */
const POLL = 200;
/** Tries before the user gets a note on the cause of the wait. */
const QUIET_POLLS = 10;

/**
 * Takes a lock as soon as no other run holds it. Throws `local-io` as `FileLock` does, and the reason of an
 * abort.
 */
export async function waitForLock(
  lockPath: string,
  name: string,
  { signal, progress }: Omit<HubRun, 'settings'>,
): Promise<FileLock> {
  for (let polls = 1; ; polls++) {
    try {
      return await FileLock.acquire(lockPath, name);
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (polls === QUIET_POLLS) progress?.({ kind: 'note', message: `waiting: ${error.message}` });
      await sleep(POLL, undefined, signal && { signal }).catch(() => undefined);
      signal?.throwIfAborted();
    }
  }
}

/** Whether an error says that another run holds a lock, or has taken it over. */
export function isLocked(error: unknown): error is PressError {
  return error instanceof PressError && error.failure === 'locked';
}

import { PressError } from '../../core/errors.ts';
import { HubRefusal, HubUnreachable } from '../http/fault.ts';
import type { HubRun } from '../run.ts';

/**
 * Runs a job that reads from the Hub. Where the Hub cannot be reached, or fails, the job runs again with what
 * the cache holds, as offline, and a note says so.
 * @throws PressError as the job does; if a file is not in the cache, the error from the Hub.
 */
export async function orFromCache<T>(run: HubRun, job: (run: HubRun) => Promise<T>): Promise<T> {
  try {
    return await job(run);
  } catch (error) {
    const reason = run.settings.offline ? undefined : outage(error);
    if (reason === undefined) throw error;
    const result = await job({ ...run, settings: { ...run.settings, offline: true } }).catch((lack) => {
      throw lack instanceof PressError && lack.failure === 'network' ? error : lack;
    });
    run.progress?.({
      kind: 'note',
      message: `${reason.message}; using the copy in the cache, which may be older`,
    });
    return result;
  }
}

/**
 * Of what a job throws, the error of a Hub that does not answer, or answers that it fails; undefined for
 * others.
 */
function outage(error: unknown): PressError | undefined {
  if (error instanceof HubUnreachable || (error instanceof HubRefusal && error.status >= 500)) return error;
  return error instanceof PressError && error.cause !== undefined ? outage(error.cause) : undefined;
}

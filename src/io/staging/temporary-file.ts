import { randomBytes } from 'node:crypto';
import { lstat, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { localIo } from '../../core/errors.ts';
import { LEASE } from '../locks/lease.ts';
import { ownPlace } from '../locks/place.ts';
import { isAlive } from '../locks/process-identity.ts';

const PATTERN = /^\..+\.tmp-(?<pid>\d+)-(?<place>[0-9a-f]{8})[0-9a-f]{8}$/s;

/** A fresh hidden path beside `finalPath`: a rename is atomic only within one file system. */
export function temporaryPath(finalPath: string): string {
  const { dir, base } = path.parse(finalPath);
  return path.join(dir, `.${base}.tmp-${process.pid}-${shortPlace()}${randomBytes(4).toString('hex')}`);
}

function shortPlace(): string {
  return ownPlace().place.slice(0, 8);
}

/** What is known of earlier runs. */
export interface Knowledge {
  /** In milliseconds by the clock of the file system: when the lock of the folder was taken. */
  readonly since: number;
  /** Runs that are known to have ended. */
  readonly ended: readonly { readonly pid: number; readonly place?: string | undefined }[];
}

/**
 * Removes temporary files and folders in `folder` whose run has ended: its process is gone, its lock was
 * taken over, or, for a process elsewhere, the file has not changed for a lease. The caller holds the
 * folder's lock.
 */
export async function removeStaleTemporaries(folder: string, { since, ended }: Knowledge): Promise<void> {
  const names = await readdir(folder).catch((error) => {
    // In a folder that may be written but not listed, temporary files cannot be found.
    if (error.code === 'EACCES') return [];
    throw localIo(folder, error);
  });
  for (const name of names) {
    const { pid, place } = PATTERN.exec(name)?.groups ?? {};
    if (place === undefined || !(Number(pid) > 0)) continue;
    const file = path.join(folder, name);
    try {
      const { mtimeMs } = await lstat(file);
      const isOfEnded = ended.some((run) => run.pid === Number(pid) && run.place?.startsWith(place));
      const isStale =
        place === shortPlace()
          ? !(await isAlive({ pid: Number(pid), started: undefined }))
          : isOfEnded || since - mtimeMs >= LEASE;
      if (isStale) await rm(file, { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw localIo(folder, error);
    }
  }
}

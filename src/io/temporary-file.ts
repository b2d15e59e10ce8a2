import { randomBytes } from 'node:crypto';
import { lstat, readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { localIo } from '../core/errors.ts';
import { LEASE } from './lease.ts';
import { ownPlace } from './place.ts';
import { isAlive } from './process-identity.ts';

const PATTERN = /^\..+\.tmp-(?<pid>\d+)-(?<place>[0-9a-f]{8})[0-9a-f]{8}$/s;

/** A fresh hidden path beside `finalPath`: a rename is atomic only within one folder's file system. */
export function temporaryPath(finalPath: string): string {
  const { dir, base } = path.parse(finalPath);
  return path.join(dir, `.${base}.tmp-${process.pid}-${shortPlace()}${randomBytes(4).toString('hex')}`);
}

function shortPlace(): string {
  return ownPlace().slice(0, 8);
}

/**
 * Removes temporary files in `folder` whose run has ended: its process is gone, or, where the process was elsewhere, nothing
 * has been written for a lease. `now` is the time by the clock of the file system. The caller holds the folder's lock.
 */
export async function removeStaleTemporaries(folder: string, now: number): Promise<void> {
  const names = await readdir(folder).catch((error) => {
    // A folder that may be written, but not listed, has no temporary files that anybody could find.
    if (error.code === 'EACCES') return [];
    throw localIo(folder, error);
  });
  for (const name of names) {
    const { pid, place } = PATTERN.exec(name)?.groups ?? {};
    if (place === undefined || !(Number(pid) > 0)) continue;
    const file = path.join(folder, name);
    try {
      const { mtimeMs } = await lstat(file);
      const isStale =
        place === shortPlace()
          ? !(await isAlive({ pid: Number(pid), started: undefined }))
          : now - mtimeMs >= LEASE;
      if (isStale) await unlink(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw localIo(folder, error);
    }
  }
}

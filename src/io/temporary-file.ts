import { randomBytes } from 'node:crypto';
import { readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { localIo } from '../core/errors.ts';
import { isAlive } from './process-identity.ts';

const PATTERN = /^\..+\.tmp-(?<pid>\d+)-[0-9a-f]{16}$/s;

/** A fresh hidden path beside `finalPath`: a rename is atomic only within one folder's file system. */
export function temporaryPath(finalPath: string): string {
  const { dir, base } = path.parse(finalPath);
  return path.join(dir, `.${base}.tmp-${process.pid}-${randomBytes(8).toString('hex')}`);
}

/** Removes temporary files in `folder` whose process was killed. The caller holds the folder's lock. */
export async function removeStaleTemporaries(folder: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) {
      const pid = Number(PATTERN.exec(name)?.groups?.pid);
      if (pid > 0 && !(await isAlive({ pid, started: undefined }))) await unlink(path.join(folder, name));
    }
  } catch (error) {
    throw localIo(folder, error);
  }
}

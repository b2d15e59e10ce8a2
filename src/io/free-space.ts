import { statfs } from 'node:fs/promises';
import { localIo, PressError } from '../core/errors.ts';
import { isRefusal } from './refusals.ts';

/** Throws `local-io` where the file system of `folder` has less than `bytes` left for this user. */
export async function assertFreeSpace(folder: string, bytes: number): Promise<void> {
  const free = await freeBytes(folder);
  if (free !== undefined && free < bytes) throw noSpace(folder, bytes, free);
}

/** The error for a write of a file of `bytes` that met a full disk. */
export async function diskFull(file: string, folder: string, bytes: number): Promise<PressError> {
  return noSpace(file, bytes, (await freeBytes(folder)) ?? 0);
}

/** Free bytes for this user. Undefined if the file system reports none, or an impossible number. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    // Mounts of object stores and of FUSE report 0 for unknown. A full disk fails again when it is written.
    return free > 0 ? free : undefined;
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw localIo(folder, error);
  }
}

function noSpace(file: string, needed: number, free: number): PressError {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  return new PressError('local-io', {
    file,
    what: `no space left: needs ${megabytes(needed)}, has ${megabytes(free)}`,
  });
}

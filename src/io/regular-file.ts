import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';

/**
 * Opening a named pipe must not wait for a writer, since that can be neither ended nor interrupted, and
 * opening a terminal must not make it ours. Windows has neither flag.
 */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** Something exists at a path, but is not a regular file. */
export class NotRegular extends Error {}

export interface RegularFile {
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
}

/**
 * Opens a file for reading, whatever the path leads to. All files that users name are opened here.
 * @throws NotRegular where it is a folder, named pipe, socket or device; as `open` does.
 */
export async function openRegular(path: string): Promise<RegularFile> {
  // Some devices do something when they are opened.
  assertRegular(await stat(path, { bigint: true }));
  const handle = await open(path, OPEN_FLAGS);
  try {
    const stats = await handle.stat({ bigint: true });
    assertRegular(stats);
    return { handle, stats };
  } catch (error) {
    await handle.close().catch(() => undefined);
    throw error;
  }
}

/** Reads a small file. Throws as `openRegular` does. */
export async function readRegular(path: string): Promise<Buffer> {
  const { handle } = await openRegular(path);
  // The content is read already, so an error of close does not matter.
  return handle.readFile().finally(() => handle.close().catch(() => undefined));
}

function assertRegular(stats: BigIntStats): void {
  if (!stats.isFile()) throw new NotRegular(`is a ${kindOf(stats)}, not a regular file`);
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return 'folder';
  if (stats.isFIFO()) return 'named pipe';
  return stats.isSocket() ? 'socket' : 'device';
}

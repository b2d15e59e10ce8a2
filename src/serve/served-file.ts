import { type FileHandle, realpath } from 'node:fs/promises';
import path from 'node:path';
import { openRegular } from '../io/regular-file.ts';

/** A file that may be sent, open. */
export interface ServedFile {
  readonly handle: FileHandle;
  readonly path: string;
  readonly size: number;
  /** Changes with the file. */
  readonly etag: string;
}

/**
 * Opens the file at the parts of an address below `root`, a real path. Undefined for what is not there and
 * for what must not be seen: dot files, what lies outside `root` or is reached by a link that leads out of
 * it, and all but regular files.
 */
export async function openServed(root: string, parts: readonly string[]): Promise<ServedFile | undefined> {
  if (parts.length === 0 || !parts.every(isPlainName)) return undefined;
  try {
    const file = await realpath(path.join(root, ...parts));
    if (!isInside(root, file)) return undefined;
    const { handle, stats } = await openRegular(file);
    const etag = `"${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}"`;
    return { handle, path: file, size: Number(stats.size), etag };
  } catch {
    // Missing, unreadable, not a file, or removed meanwhile: the client gets the same answer.
    return undefined;
  }
}

/** No `..`, no dot file, nothing that a file system takes for more than a name. */
function isPlainName(part: string): boolean {
  return part !== '' && !part.startsWith('.') && !/[/\\\0:]/.test(part);
}

function isInside(root: string, file: string): boolean {
  const relative = path.relative(root, file);
  return relative.split(path.sep).every(isPlainName);
}

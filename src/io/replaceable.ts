import { lstat, stat } from 'node:fs/promises';
import { localIo, PressError } from '../core/errors.ts';

export interface ReplaceOptions {
  /** Replace files that are there already. */
  readonly force: boolean;
  /** Paths of files that are read and must never be replaced. */
  readonly inputs: readonly string[];
}

/**
 * Throws `local-io` where `path`, which messages call `name`, is taken without `force`, is no regular file or is an
 * input.
 */
export async function assertReplaceable(path: string, name: string, options: ReplaceOptions): Promise<void> {
  const stats = await lstat(path, { bigint: true }).catch((error) => {
    if (['ENOENT', 'ENOTDIR'].includes(error.code)) return undefined;
    throw localIo(name, error);
  });
  if (stats === undefined) return;
  if (stats.isSymbolicLink()) throw refusal(name, 'is a symbolic link, which is not written through');
  if (!stats.isFile()) throw refusal(name, 'is there and is not a regular file');
  for (const input of options.inputs) {
    const other = await stat(input, { bigint: true }).catch(() => undefined);
    if (other?.dev === stats.dev && other.ino === stats.ino) {
      throw refusal(name, 'is an input of this run and is never replaced');
    }
  }
  if (!options.force) throw refusal(name, 'exists already; --force replaces it');
}

function refusal(file: string, what: string): PressError {
  return new PressError('local-io', { file, what });
}

import { lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import { localIo, PressError } from '../../core/errors.ts';

export interface ReplaceOptions {
  /** Replace existing files. */
  readonly force: boolean;
  /** Paths of files that are read and must never be replaced. */
  readonly inputs: readonly string[];
}

/** Throws `local-io` if `file` exists without `force`, is not a regular file, or is an input. */
export async function assertReplaceable(file: string, options: ReplaceOptions): Promise<void> {
  const stats = await lstat(file, { bigint: true }).catch((error) => {
    if (['ENOENT', 'ENOTDIR'].includes(error.code)) return undefined;
    throw localIo(file, error);
  });
  if (stats === undefined) return;
  const folder = path.dirname(file);
  const refusal = (what: string) => new PressError('local-io', { file: path.basename(file), what });
  if (stats.isSymbolicLink())
    throw refusal(`is a symbolic link in ${folder}, and links are not followed for writing`);
  if (!stats.isFile()) throw refusal(`exists in ${folder} and is not a regular file`);
  for (const input of options.inputs) {
    const other = await stat(input, { bigint: true }).catch(() => undefined);
    if (other?.dev === stats.dev && other.ino === stats.ino) {
      throw refusal(`is an input of this run in ${folder} and is never replaced`);
    }
  }
  if (!options.force) throw refusal(`exists already in ${folder}; --force replaces it`);
}

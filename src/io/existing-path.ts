import { stat } from 'node:fs/promises';
import { localIo } from '../core/errors.ts';

/** Throws `local-io` where nothing is at a path that the user named; what a checkpoint lacks is `invalid-input`. */
export async function assertExists(path: string): Promise<void> {
  await stat(path).catch((error) => {
    throw localIo(path, error);
  });
}

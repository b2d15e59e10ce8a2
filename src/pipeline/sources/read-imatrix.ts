import path from 'node:path';
import { readImatrix as read } from '../../../formats/imatrix/reader.ts';
import type { Imatrix } from '../../core/imatrix.ts';
import { assertExists } from '../../io/existing-path.ts';
import { InputFile } from '../../io/input-file.ts';

/**
 * Reads an importance matrix. Throws `local-io` where it is missing, `invalid-input` where it is malformed.
 */
export async function readImatrix(filePath: string): Promise<Imatrix> {
  await assertExists(filePath);
  const file = await InputFile.open(filePath, path.basename(filePath));
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}

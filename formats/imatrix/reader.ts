import { invalidInput } from '../../src/core/errors.ts';
import type { Imatrix } from '../../src/core/imatrix.ts';
import { FOREIGN_HEAD_BYTES, foreignContent } from '../../src/core/text/foreign-content.ts';
import type { InputFile } from '../../src/io/input-file.ts';
import { MAGIC } from '../gguf/container/types.ts';
import { readDatForm } from './dat-form.ts';
import { meanSquares } from './entries.ts';
import { readGgufForm } from './gguf-form.ts';

/**
 * All of an imatrix is held in memory. That of PLM-1.8B has 2 MB; of the deepest model that llama.cpp takes,
 * 64.
 */
const MAX_IMATRIX_BYTES = 256 << 20;

/**
 * Reads an importance matrix of llama-imatrix in either form. Of the GGUF form only its own tensors are read:
 * files of `plmpress calibrate` may hold gigabytes of others.
 * @throws PressError invalid-input naming file and field.
 */
export async function readImatrix(file: InputFile): Promise<Imatrix> {
  const head = new Uint8Array(Math.min(file.bytes, FOREIGN_HEAD_BYTES));
  await file.readInto(head, 0);
  const isGguf = Buffer.from(head).toString('latin1').startsWith(MAGIC);
  const foreign = isGguf ? undefined : foreignContent(head);
  if (foreign !== undefined) throw invalidInput({ file: file.name, what: foreign });
  const raw = isGguf
    ? await readGgufForm(file, MAX_IMATRIX_BYTES)
    : readDatForm(await wholeFile(file), file.name);
  if (raw.entries.length === 0) throw invalidInput({ file: file.name, what: 'no entries' });
  const { entries, notes } = meanSquares(file.name, raw.entries);
  const { datasets, chunks } = raw;
  return { name: file.name, sha256: await file.sha256(), entries, datasets, chunks, notes };
}

async function wholeFile(file: InputFile): Promise<Uint8Array> {
  if (file.bytes > MAX_IMATRIX_BYTES) {
    const expected = `at most ${MAX_IMATRIX_BYTES} bytes`;
    throw invalidInput({ file: file.name, what: 'too large', got: file.bytes, expected });
  }
  const bytes = new Uint8Array(file.bytes);
  await file.readInto(bytes, 0);
  return bytes;
}

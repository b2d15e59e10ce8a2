import type { InputFile } from '../../src/io/input-file.ts';
import { decodeHeader, type Header, headerLength, LENGTH_BYTES, parseHeader } from './header.ts';

/** Enough to recognize a Git LFS pointer, an archive or a web page. */
const START_BYTES = 64;

/** Reads and checks the header of a safetensors file of any size; no weight is read. */
export async function readHeader(file: InputFile): Promise<Header> {
  const start = new Uint8Array(Math.min(START_BYTES, file.bytes));
  await file.readInto(start, 0);
  const length = headerLength(start, file.bytes, file.name);
  const text = await readHeaderText(file, length);
  return parseHeader(text, LENGTH_BYTES + length, file.bytes, file.name);
}

async function readHeaderText(file: InputFile, length: number): Promise<string> {
  const header = new Uint8Array(length);
  await file.readInto(header, LENGTH_BYTES);
  return decodeHeader(header, file.name);
}

import { isUtf8 } from 'node:buffer';
import { type Fault, invalidInput, type PressError } from '../../src/core/errors.ts';
import { MAX_TENSOR_NAME_BYTES } from '../gguf/container/types.ts';
import { datasetName, type RawEntry } from './entries.ts';

/** Fewest bytes of an entry: length, one character, calls, count, one value. */
const MIN_ENTRY_BYTES = 4 + 1 + 4 + 4 + 4;
/** The limit of tensors of a GGUF. Millions of tiny entries would take twenty times the bytes of the file. */
const MAX_ENTRIES = 100_000;

/**
 * Reads the form of llama-imatrix before 2025, little-endian: entries of name, calls and sums, then maybe the
 * number of chunks and a data set.
 * @throws PressError invalid-input naming the entry and the byte offset.
 */
export function readDatForm(bytes: Uint8Array, file: string) {
  const cursor = new DatCursor(bytes, file);
  const most = Math.min(MAX_ENTRIES, Math.floor(cursor.remaining / MIN_ENTRY_BYTES));
  const count = cursor.int('number of entries', 1, most);
  const entries: RawEntry[] = [];
  const names = new Set<string>();
  for (let index = 0; index < count; index++) {
    cursor.field = `entry[${index}]`;
    const name = cursor.text('name', 1, MAX_TENSOR_NAME_BYTES);
    cursor.field = `entry[${index}] ${JSON.stringify(name)}`;
    if (names.has(name)) throw cursor.error('the entry is in the file twice');
    names.add(name);
    const calls = cursor.int('number of calls', 0);
    // The number itself takes the place of one value.
    const values = cursor.int('number of values', 1, Math.floor(cursor.remaining / 4) - 1);
    entries.push({ name, sums: cursor.floats(values), counts: Float32Array.of(calls) });
  }
  cursor.field = 'tail';
  const chunks = cursor.remaining === 0 ? undefined : cursor.int('number of chunks', 0);
  const dataset = cursor.remaining === 0 ? '' : cursor.text('data set', 0, cursor.remaining);
  if (cursor.remaining > 0) throw cursor.error('bytes after the end', { got: cursor.remaining });
  return { entries, chunks, datasets: dataset === '' ? [] : [datasetName(dataset)] };
}

/** Reads fields front to back; nothing is allocated before it is known to lie inside the file. */
class DatCursor {
  readonly #bytes: Buffer;
  readonly #file: string;
  #position = 0;
  /** What is being read, for messages. */
  field = 'header';

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#file = file;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  error(what: string, details: Pick<Fault, 'got' | 'expected'> = {}, offset = this.#position): PressError {
    const { field } = this;
    return invalidInput({ file: this.#file, field, what: `at byte ${offset}: ${what}`, ...details });
  }

  int(what: string, min: number, max = 2 ** 31 - 1): number {
    this.#need(what, 4);
    const value = this.#bytes.readInt32LE(this.#position);
    if (value < min || value > max) throw this.error(what, { got: value, expected: `${min} to ${max}` });
    this.#position += 4;
    return value;
  }

  text(what: string, min: number, max: number): string {
    const length = this.int(`length of the ${what}`, min, Math.min(max, this.remaining));
    this.#need(what, length);
    const slice = this.#bytes.subarray(this.#position, this.#position + length);
    if (!isUtf8(slice)) throw this.error(`the ${what} is not UTF-8`);
    this.#position += length;
    return slice.toString('utf8');
  }

  floats(count: number): Float32Array {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) values[i] = this.#bytes.readFloatLE(this.#position + 4 * i);
    this.#position += 4 * count;
    return values;
  }

  #need(what: string, bytes: number): void {
    if (bytes <= this.remaining) return;
    throw this.error(`the file ends in the ${what}`, {
      got: this.remaining,
      expected: `${bytes} bytes more`,
    });
  }
}

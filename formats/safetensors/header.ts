import { type Fault, invalidInput, type PressError } from '../../src/core/errors.ts';
import { parseJson } from '../../src/core/json/json.ts';
import { JsonField } from '../../src/core/json/json-field.ts';
import { foreignContent } from '../../src/core/text/foreign-content.ts';
import { decodeUtf8 } from '../../src/io/text-file.ts';
import { DTYPE_BITS, type Dtype, isDtype } from './dtype.ts';

/** The header's length, a u64, stands before the header. */
export const LENGTH_BYTES = 8;
/** Limit of the safetensors crate; a longer header would be a way to exhaust memory. */
const MAX_HEADER_BYTES = 100_000_000;
/**
 * The largest PLM that llama.cpp loads (512 layers) has about 6,200; a million would cost seconds and
 * gigabytes.
 */
const MAX_TENSORS = 100_000;
/** NumPy's limit. */
const MAX_DIMENSIONS = 64;
/**
 * Names of checkpoints stay below 100 characters; a longer one would push everything else out of messages.
 */
const MAX_NAME_LENGTH = 256;

export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Byte offset in the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface Header {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

/** Length of the header, from the first bytes of a file of `fileBytes` bytes called `file`. */
export function headerLength(start: Uint8Array, fileBytes: number, file: string): number {
  if (fileBytes < LENGTH_BYTES) {
    throw headerFault(start, { file, what: 'file too short', got: fileBytes, expected: 'at least 8 bytes' });
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const length = view.getBigUint64(0, true);
  const limit = Math.min(MAX_HEADER_BYTES, fileBytes - LENGTH_BYTES);
  if (length === 0n || length > BigInt(limit)) {
    throw headerFault(start, { file, what: 'wrong length', got: length, expected: `1 to ${limit} bytes` });
  }
  return Number(length);
}

/** Text of a header. Apart from `parseHeader`, so that its bytes, up to 100 MB, need not outlive it. */
export function decodeHeader(header: Uint8Array, file: string): string {
  // The crate accepts space before the brace although the format's text does not.
  const first = header.findIndex((byte) => !SPACES.has(byte));
  if (header[first] !== OPENING_BRACE) throw headerFault(header, { file, what: 'not a JSON object' });
  return decodeUtf8(header, file, 'header');
}

/**
 * Parses the header of a file of `fileBytes` bytes whose data starts at `dataStart`. Throws `invalid-input`
 * unless every rule of the format holds: the tensors' bytes follow each other from the header to the end of
 * the file without hole or overlap, and each has as many as its dtype and shape need.
 */
export function parseHeader(text: string, dataStart: number, fileBytes: number, file: string): Header {
  const root = parseJson(text, file, { root: 'header', maxMembers: MAX_TENSORS });
  const metadata = new Map<string, string>();
  const entries: TensorEntry[] = [];
  for (const [name, field] of root.entries()) {
    if (name === '__metadata__') {
      for (const [key, value] of field.entries()) metadata.set(key, value.string());
    } else {
      entries.push(parseEntry(name, field, dataStart));
    }
  }
  entries.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  assertContiguous(entries, dataStart, fileBytes, file);
  return { metadata, tensors: new Map(entries.map((entry) => [entry.name, entry])) };
}

const OPENING_BRACE = 0x7b;
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

function parseEntry(name: string, entry: JsonField, dataStart: number): TensorEntry {
  const { file } = entry;
  if (name === '') throw invalidInput({ file, field: 'header', what: 'tensor without a name' });
  if (name.length > MAX_NAME_LENGTH) {
    const expected = `at most ${MAX_NAME_LENGTH} characters`;
    throw invalidInput({ file, field: 'header', what: 'tensor name too long', got: name.length, expected });
  }
  const tensor = `tensor ${JSON.stringify(name)}`;
  if (/\p{Cc}/u.test(name))
    throw invalidInput({ file, field: tensor, what: 'control character in the name' });
  const part = (key: string) => new JsonField(entry.object().get(key), file, `${tensor}: ${key}`);
  for (const key of entry.object().keys()) {
    if (!ENTRY_KEYS.has(key)) throw invalidInput({ file, field: tensor, what: 'unknown key', got: key });
  }

  const dtype = part('dtype').string();
  if (!isDtype(dtype)) throw part('dtype').unexpected('a dtype of the format');
  const shape = part('shape')
    .items(MAX_DIMENSIONS)
    .map((dimension) => dimension.integer(0));
  const elements = shape.reduce((product, n) => product * n, 1);
  const bytes = (elements / 8) * DTYPE_BITS[dtype];
  // Past 2^53 the product is rounded, and a sum of roundings could be made to fit.
  if (!Number.isSafeInteger(elements) || !Number.isSafeInteger(bytes)) {
    throw part('shape').unexpected('whole bytes, and fewer than 2^53');
  }

  const offsets = part('data_offsets');
  const [begin, end] = offsets.items(2).map((offset) => offset.integer(0));
  if (begin === undefined || end === undefined || end < begin) {
    throw offsets.unexpected('[begin, end]');
  }
  if (end - begin !== bytes) throw offsets.unexpected(`${bytes} bytes for ${dtype} [${shape}]`);
  return { name, dtype, shape, offset: dataStart + begin, bytes };
}

const ENTRY_KEYS: ReadonlySet<string> = new Set(['dtype', 'shape', 'data_offsets']);

function assertContiguous(
  sorted: readonly TensorEntry[],
  dataStart: number,
  fileBytes: number,
  file: string,
): void {
  let end = dataStart;
  for (const entry of sorted) {
    if (entry.offset !== end) {
      throw invalidInput({
        file,
        field: `tensor ${JSON.stringify(entry.name)}: data_offsets`,
        what: entry.offset > end ? 'hole before the tensor' : 'overlaps the tensor before',
        got: entry.offset - dataStart,
        expected: String(end - dataStart),
      });
    }
    end += entry.bytes;
  }
  if (end !== fileBytes) {
    const what = end < fileBytes ? 'bytes after the last tensor' : 'tensors end after the file';
    throw invalidInput({ file, field: 'header', what, got: fileBytes, expected: `a file of ${end} bytes` });
  }
}

/** A fault of the header, or of the whole file if its first bytes show that it is of another kind. */
function headerFault(start: Uint8Array, fault: Fault): PressError {
  const what = foreignContent(start);
  return invalidInput(
    what === undefined ? { ...fault, field: 'header' } : { file: fault.file!, field: 'header', what },
  );
}

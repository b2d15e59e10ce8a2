import { isPowerOfTwo } from '../../../src/core/elementary/binary-exponent.ts';
import { invalidInput, unsupported } from '../../../src/core/errors.ts';
import { FOREIGN_HEAD_BYTES, foreignContent } from '../../../src/core/text/foreign-content.ts';
import { type ByteSource, HeaderCursor } from './header-cursor.ts';
import { readTensorInfos } from './tensor-infos.ts';
import {
  DEFAULT_ALIGNMENT,
  FIXED_BYTES,
  type FixedType,
  type GgufArray,
  type GgufHeader,
  type GgufValue,
  MAGIC,
  MAX_KEY_BYTES,
  type Metadata,
  VALUE_TYPES,
  type ValueType,
} from './types.ts';

/** A model has some dozens of keys (huggingface.js has the same limit). */
const MAX_KEYS = 100_000;
/** Largest models have some thousands of tensors. */
const MAX_TENSORS = 100_000;
/** Elements of all arrays together: five times the largest vocabularies with their types and merges. */
const MAX_ARRAY_ELEMENTS = 4_194_304;
/** huggingface.js has the same limit; no known key nests more than once. */
const MAX_NESTING = 4;
/**
 * Elements that an array inside of an array counts as: it takes the memory of so many, even if it is empty.
 */
const NESTED_ARRAY = 8;
/** Fewest bytes of a key-value pair: length, one character, type, one byte of value. */
const MIN_KEY_VALUE_BYTES = 8 + 1 + 4 + 1;
/** Fewest bytes of a tensor info: length, one character, dimension count, one dimension, type, offset. */
const MIN_TENSOR_INFO_BYTES = 8 + 1 + 4 + 8 + 4 + 8;
/** The largest page size in use. Hostile files ask for 2^31. */
const MAX_ALIGNMENT = 65_536;
/** Elements of fixed size decoded at a time. */
const BATCH = 8192;

/**
 * Two or more segments joined by dots, as the specification asks; real files also use capitals and hyphens.
 */
const KEY = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$/;

const TYPE_NAMES: ReadonlyMap<number, ValueType> = new Map(
  Object.entries(VALUE_TYPES).map(([name, number]) => [number, name as ValueType]),
);

/**
 * Reads and checks everything before the data of a little-endian GGUF v2 or v3 file (ggml docs/gguf.md), and
 * that the tensors fill the rest of the file as llama.cpp demands: in order, aligned, without hole or
 * overlap. Padding bytes carry nothing and are not read.
 * @throws PressError invalid-input naming `kv[i] "key"` or `tensor[i] "name"` and the byte offset;
 * unsupported for big-endian files and versions after 3.
 */
export async function readGguf(source: ByteSource): Promise<GgufHeader> {
  await refuseForeign(source);
  const cursor = new HeaderCursor(source);
  await cursor.need(24);
  const version = readVersion(cursor, source.name);
  const tensorCount = readCount(cursor, 'tensor count', MIN_TENSOR_INFO_BYTES, MAX_TENSORS);
  const keyCount = readCount(cursor, 'key count', MIN_KEY_VALUE_BYTES, MAX_KEYS);
  const metadata = await readMetadata(cursor, keyCount);
  const tensors = await readTensorInfos(cursor, tensorCount, alignmentOf(metadata, cursor));
  return { version, metadata, tensors };
}

/** Says what a file is that is of another kind. */
async function refuseForeign(source: ByteSource): Promise<void> {
  const head = new Uint8Array(Math.min(source.bytes, FOREIGN_HEAD_BYTES));
  await source.readInto(head, 0);
  const isGguf = Buffer.from(head).toString('latin1').startsWith(MAGIC);
  const what = isGguf ? undefined : head.length === 0 ? 'the file is empty' : foreignContent(head);
  if (what !== undefined) throw invalidInput({ file: source.name, what });
}

function readVersion(cursor: HeaderCursor, file: string): number {
  const letters = Array.from(MAGIC, () => String.fromCharCode(cursor.fixed('u8') as number));
  if (letters.join('') !== MAGIC) {
    throw cursor.error('magic', { got: letters.join(''), expected: `the letters ${MAGIC}` }, 0);
  }
  const version = cursor.u32();
  if (version === 2 || version === 3) return version;
  // The low half of a big-endian version number is zero when read as little-endian.
  const bigEndian = version !== 0 && (version & 0xffff) === 0;
  if (bigEndian) throw unsupported({ file, field: 'header', what: 'big-endian GGUF files are not read' });
  if (version < 2) throw cursor.error('version', { got: version, expected: '2 or 3' }, 4);
  throw unsupported({ file, field: 'header', what: 'GGUF version', got: version, expected: '2 or 3' });
}

function readCount(cursor: HeaderCursor, what: string, minBytes: number, limit: number): number {
  const start = cursor.position;
  const count = cursor.u64();
  const allowed = Math.min(limit, Math.floor(cursor.remaining / minBytes));
  if (count > BigInt(allowed)) {
    throw cursor.error(what, { got: count, expected: `at most ${allowed} in a file of this size` }, start);
  }
  return Number(count);
}

async function readMetadata(cursor: HeaderCursor, count: number): Promise<Metadata> {
  const metadata = new Map<string, GgufValue>();
  const budget = { elements: MAX_ARRAY_ELEMENTS };
  for (let index = 0; index < count; index++) {
    cursor.field = `kv[${index}]`;
    const start = cursor.position;
    const key = await cursor.text('key', MAX_KEY_BYTES);
    cursor.field = `kv[${index}] ${JSON.stringify(key)}`;
    if (!KEY.test(key)) {
      throw cursor.error('key', { expected: 'ASCII words joined by dots' }, start);
    }
    if (metadata.has(key)) throw cursor.error('the key is in the file twice', {}, start);
    metadata.set(key, await readValue(cursor, budget));
  }
  cursor.field = 'header';
  return metadata;
}

async function readValue(cursor: HeaderCursor, budget: { elements: number }): Promise<GgufValue> {
  const type = await readType(cursor);
  if (type === 'array') return readArray(cursor, budget, 1);
  if (type === 'string') return { type, value: await cursor.text('string') };
  await cursor.need(FIXED_BYTES[type]);
  return { type, value: cursor.fixed(type) } as GgufValue;
}

async function readType(cursor: HeaderCursor): Promise<ValueType> {
  await cursor.need(4);
  const start = cursor.position;
  const number = cursor.u32();
  const type = TYPE_NAMES.get(number);
  if (type === undefined) throw cursor.error('value type', { got: number, expected: '0 to 12' }, start);
  return type;
}

async function readArray(
  cursor: HeaderCursor,
  budget: { elements: number },
  depth: number,
): Promise<GgufArray> {
  if (depth > MAX_NESTING) throw cursor.error(`arrays are nested more than ${MAX_NESTING} deep`);
  const items = await readType(cursor);
  await cursor.need(8);
  const start = cursor.position;
  const count = cursor.u64();
  const cost = items === 'array' ? NESTED_ARRAY : 1;
  const allowed = Math.floor(Math.min(budget.elements / cost, cursor.remaining / minimumBytes(items)));
  if (count > BigInt(allowed)) {
    throw cursor.error('array length', { got: count, expected: `at most ${allowed}` }, start);
  }
  const length = Number(count);
  budget.elements -= cost * length;
  const value: unknown[] = [];
  if (items === 'array') {
    for (let i = 0; i < length; i++) value.push(await readArray(cursor, budget, depth + 1));
  } else if (items === 'string') {
    for (let i = 0; i < length; i++) value.push(await cursor.text('string'));
  } else {
    await readFixedItems(cursor, items, length, value);
  }
  return { type: 'array', items, value } as GgufArray;
}

async function readFixedItems(
  cursor: HeaderCursor,
  type: FixedType,
  length: number,
  value: unknown[],
): Promise<void> {
  while (value.length < length) {
    const batch = Math.min(BATCH, length - value.length);
    await cursor.need(batch * FIXED_BYTES[type]);
    for (let i = 0; i < batch; i++) value.push(cursor.fixed(type));
  }
}

/** Fewest bytes that an array item takes: strings have a length, arrays an item type and a length. */
function minimumBytes(items: ValueType): number {
  if (items === 'string') return 8;
  return items === 'array' ? 12 : FIXED_BYTES[items];
}

/**
 * The specification asks for a multiple of 8, llama.cpp for a power of two; both hold here. llama.cpp also
 * takes 1, 2 and 4, which no known writer uses.
 */
function alignmentOf(metadata: Metadata, cursor: HeaderCursor): number {
  const entry = metadata.get('general.alignment');
  if (entry === undefined) return DEFAULT_ALIGNMENT;
  cursor.field = `kv[${[...metadata.keys()].indexOf('general.alignment')}] "general.alignment"`;
  if (entry.type !== 'u32') throw cursor.error('value type', { got: entry.type, expected: 'u32' });
  const alignment = entry.value;
  if (alignment < 8 || alignment > MAX_ALIGNMENT || !isPowerOfTwo(alignment)) {
    const expected = `a power of two from 8 to ${MAX_ALIGNMENT}`;
    throw cursor.error('alignment', { got: alignment, expected });
  }
  return alignment;
}

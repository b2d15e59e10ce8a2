import { invalidInput, type PressError } from '../../src/core/errors.ts';
import type { InputFile } from '../../src/io/input-file.ts';

/** A PLM of 512 layers has about 6,200 tensors. Each entry costs two reads of its local header. */
const MAX_ENTRIES = 20_000;
/** Names of `torch.save` are the stem of the file and a number. */
const MAX_NAME_BYTES = 256;
/** Path of plain components: no root, no drive, no backslash, nothing that climbs. */
const SAFE_NAME = /^(?!\.{1,2}(\/|$))[\w. @+-]+(\/(?!\.{1,2}(\/|$))[\w. @+-]+)*$/;

const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
const HEADER_BYTES = 46;

const END_MAGIC = 0x06054b50;
const LOCATOR_MAGIC = 0x07064b50;
const END64_MAGIC = 0x06064b50;
const HEADER_MAGIC = 0x02014b50;

/** What a 32-bit and a 16-bit field hold where the value stands in a zip64 record. */
const FULL_32 = 0xffffffff;
const FULL_16 = 0xffff;

const ENCRYPTED = 1;
/** Sizes also stand behind the data, and the name is UTF-8. */
export const DESCRIPTOR_FLAG = 1 << 3;
const ALLOWED_FLAGS = DESCRIPTOR_FLAG | (1 << 11);

/**
 * An entry of the central directory; not to be trusted before its local header agrees.
 */
export interface DirectoryEntry {
  readonly name: string;
  readonly flags: number;
  readonly crc: number;
  readonly bytes: number;
  /** Offset of the local header. */
  readonly header: number;
}

export interface Directory {
  /** Offset of the directory, where the last entry ends. */
  readonly start: number;
  readonly entries: readonly DirectoryEntry[];
}

/**
 * Reads the central directory, which must end where the records of the end begin, as these must end with the
 * file: there is one way to read the archive. Throws `invalid-input` for what `torch.save` does not write.
 */
export async function readDirectory(file: InputFile): Promise<Directory> {
  const { start, bytes, count } = await locate(file);
  if (count > MAX_ENTRIES || count * HEADER_BYTES > bytes) {
    const limit = Math.min(MAX_ENTRIES, Math.floor(bytes / HEADER_BYTES));
    throw endFault(file, 'too many entries', count, `at most ${limit}`);
  }
  const limit = MAX_ENTRIES * (HEADER_BYTES + 2 * MAX_NAME_BYTES);
  if (bytes > limit) throw endFault(file, 'central directory too large', bytes, `at most ${limit} bytes`);
  const content = await read(file, start, bytes);
  const entries: DirectoryEntry[] = [];
  const names = new Set<string>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    const { entry, end } = parseEntry(content, at, file.name, `entry ${i}`);
    if (names.has(entry.name)) throw zipFault(file.name, entryField(entry.name), 'the name occurs twice');
    names.add(entry.name);
    entries.push(entry);
    at = end;
  }
  if (at !== bytes) throw endFault(file, 'wrong size of the central directory', bytes, `${at} bytes`);
  return { start, entries };
}

export async function read(file: InputFile, offset: number, bytes: number): Promise<DataView> {
  const content = new Uint8Array(bytes);
  await file.readInto(content, offset);
  return new DataView(content.buffer);
}

export function latin1(view: DataView, offset: number, bytes: number): string {
  return Buffer.from(view.buffer, view.byteOffset + offset, bytes).toString('latin1');
}

export function zipFault(file: string, field: string, what: string): PressError {
  return invalidInput({ file, field, what });
}

export function entryField(name: string): string {
  return `zip entry ${JSON.stringify(name)}`;
}

/** A u64; above 2^53 it is rounded, but stays larger than any file. */
export function u64(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true));
}

interface Location {
  readonly start: number;
  readonly bytes: number;
  readonly count: number;
}

async function locate(file: InputFile): Promise<Location> {
  const tail = Math.min(file.bytes, END_BYTES + LOCATOR_BYTES + END64_BYTES);
  if (tail < END_BYTES) throw endFault(file, 'file too short', file.bytes, `at least ${END_BYTES} bytes`);
  const view = await read(file, file.bytes - tail, tail);
  const at = tail - END_BYTES;
  if (view.getUint32(at, true) !== END_MAGIC || view.getUint16(at + 20, true) !== 0) {
    throw zipFault(file.name, 'zip end', 'no end of a zip archive at the end of the file, it may be cut');
  }
  assertFields(file, [view.getUint16(at + 4, true), view.getUint16(at + 6, true)], 'disk number', 0);
  const narrow = {
    start: view.getUint32(at + 16, true),
    bytes: view.getUint32(at + 12, true),
    count: view.getUint16(at + 10, true),
  };
  assertFields(file, [view.getUint16(at + 8, true)], 'entries of this disk', narrow.count);
  const hasLocator = at >= LOCATOR_BYTES && view.getUint32(at - LOCATOR_BYTES, true) === LOCATOR_MAGIC;
  const found = hasLocator ? wideLocation(file, view, at - LOCATOR_BYTES, narrow) : narrow;
  const end = file.bytes - END_BYTES - (hasLocator ? LOCATOR_BYTES + END64_BYTES : 0);
  if (found.start + found.bytes !== end) {
    throw endFault(file, 'central directory does not end here', found.start + found.bytes, `${end}`);
  }
  return found;
}

/**
 * The zip64 record of the end, which stands right before its locator and repeats what fits the narrow one.
 */
function wideLocation(file: InputFile, view: DataView, locator: number, narrow: Location): Location {
  const at = locator - END64_BYTES;
  if (at < 0 || view.getUint32(at, true) !== END64_MAGIC) {
    throw zipFault(file.name, 'zip64 end', 'not right before its locator');
  }
  assertFields(file, [u64(view, locator + 8)], 'offset of the zip64 end', file.bytes - view.byteLength + at);
  assertFields(file, [view.getUint32(locator + 16, true)], 'number of disks', 1);
  assertFields(file, [u64(view, at + 4)], 'size of the zip64 end', END64_BYTES - 12);
  const disks = [
    view.getUint32(locator + 4, true),
    view.getUint32(at + 16, true),
    view.getUint32(at + 20, true),
  ];
  assertFields(file, disks, 'disk number', 0);
  const wide = { start: u64(view, at + 48), bytes: u64(view, at + 40), count: u64(view, at + 32) };
  assertFields(file, [u64(view, at + 24)], 'entries of this disk', wide.count);
  for (const [key, full] of [
    ['start', FULL_32],
    ['bytes', FULL_32],
    ['count', FULL_16],
  ] as const) {
    if (narrow[key] !== full) assertFields(file, [wide[key]], `${key} of the zip64 end`, narrow[key]);
  }
  return wide;
}

function parseEntry(view: DataView, at: number, file: string, field: string) {
  const cut = () => zipFault(file, `zip ${field}`, 'ends after the central directory');
  if (at + HEADER_BYTES > view.byteLength) throw cut();
  const magic = view.getUint32(at, true);
  if (magic !== HEADER_MAGIC) throw zipFault(file, `zip ${field}`, 'no header of an entry');
  const nameBytes = view.getUint16(at + 28, true);
  const extraBytes = view.getUint16(at + 30, true);
  const end = at + HEADER_BYTES + nameBytes + extraBytes;
  if (end > view.byteLength) throw cut();
  if (nameBytes > MAX_NAME_BYTES) throw zipFault(file, `zip ${field}`, 'name too long');
  const name = latin1(view, at + HEADER_BYTES, nameBytes);
  if (!SAFE_NAME.test(name))
    throw invalidInput({ file, field: `zip ${field}`, what: 'unsafe name', got: name });
  const flags = view.getUint16(at + 8, true);
  assertPlain(file, name, flags, view.getUint16(at + 10, true));
  if (view.getUint16(at + 32, true) !== 0) throw zipFault(file, entryField(name), 'has a comment');
  if (view.getUint16(at + 34, true) !== 0) throw zipFault(file, entryField(name), 'lies on another disk');
  const fields = [
    view.getUint32(at + 24, true),
    view.getUint32(at + 20, true),
    view.getUint32(at + 42, true),
  ];
  const extra = new DataView(view.buffer, view.byteOffset + end - extraBytes, extraBytes);
  const [bytes, stored, header] = widen(fields, extra, file, name);
  if (bytes !== stored) {
    throw invalidInput({
      file,
      field: entryField(name),
      what: 'stored size',
      got: stored,
      expected: `${bytes}`,
    });
  }
  const entry: DirectoryEntry = {
    name,
    flags,
    crc: view.getUint32(at + 16, true),
    bytes: bytes!,
    header: header!,
  };
  return { entry, end };
}

export function assertPlain(file: string, name: string, flags: number, method: number): void {
  const field = entryField(name);
  if (flags & ENCRYPTED) throw zipFault(file, field, 'encrypted');
  if (flags & ~ALLOWED_FLAGS) throw invalidInput({ file, field, what: 'flags not allowed', got: flags });
  if (method !== 0)
    throw invalidInput({ file, field, what: 'compressed', got: method, expected: 'method 0' });
}

/** Replaces full 32-bit fields by those of the zip64 extra field, which must hold these and no others. */
export function widen(fields: readonly number[], extra: DataView, file: string, name: string): number[] {
  const wide = zip64Field(extra, file, name);
  const full = fields.filter((value) => value === FULL_32).length;
  if ((wide?.byteLength ?? 0) !== full * 8) {
    throw zipFault(file, entryField(name), 'zip64 field that does not fit the header');
  }
  let next = 0;
  return fields.map((value) => (value === FULL_32 ? u64(wide!, 8 * next++) : value));
}

export function zip64Field(extra: DataView, file: string, name: string): DataView | undefined {
  let found: DataView | undefined;
  for (let at = 0; at < extra.byteLength; ) {
    const bytes = at + 4 <= extra.byteLength ? extra.getUint16(at + 2, true) : extra.byteLength;
    if (at + 4 + bytes > extra.byteLength) throw zipFault(file, entryField(name), 'extra field cut');
    if (extra.getUint16(at, true) === 1) {
      if (found !== undefined) throw zipFault(file, entryField(name), 'two zip64 fields');
      found = new DataView(extra.buffer, extra.byteOffset + at + 4, bytes);
    }
    at += 4 + bytes;
  }
  return found;
}

function assertFields(file: InputFile, values: readonly number[], what: string, expected: number): void {
  const wrong = values.find((value) => value !== expected);
  if (wrong !== undefined) throw endFault(file, `wrong ${what}`, wrong, `${expected}`);
}

function endFault(file: InputFile, what: string, got: number, expected: string): PressError {
  return invalidInput({ file: file.name, field: 'zip end', what, got, expected });
}

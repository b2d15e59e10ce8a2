import { invalidInput } from '../../src/core/errors.ts';
import type { InputFile } from '../../src/io/input-file.ts';
import {
  assertPlain,
  DESCRIPTOR_FLAG,
  type Directory,
  type DirectoryEntry,
  entryField,
  latin1,
  read,
  readDirectory,
  u64,
  widen,
  zipFault,
} from './zip-directory.ts';

const LOCAL_BYTES = 30;
const LOCAL_MAGIC = 0x04034b50;
const DESCRIPTOR_MAGIC = 0x08074b50;
/** A descriptor with sizes of 32 bits, and one with 64. */
const DESCRIPTOR_BYTES = 16;
const DESCRIPTOR64_BYTES = 24;
/** `torch.save` pads with at most 67 bytes; a zip64 field takes 28. */
const MAX_EXTRA_BYTES = 1024;

/** An entry's bytes as they lie in the file. */
export interface ZipEntry {
  readonly name: string;
  /** Byte offset in the file. */
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Finds the entries of an archive as `torch.save` writes it: stored, not compressed, one after the other from
 * the first byte to the central directory without hole or overlap, each with a local header that says what
 * the directory says. Throws `invalid-input` for everything else; reads headers only.
 */
export async function readZip(file: InputFile): Promise<ReadonlyMap<string, ZipEntry>> {
  const directory = await readDirectory(file);
  const sorted = directory.entries.toSorted((a, b) => a.header - b.header);
  const entries = new Map<string, ZipEntry>();
  let end = 0;
  for (const [i, entry] of sorted.entries()) {
    if (entry.header !== end) {
      const what = entry.header > end ? 'hole before the entry' : 'overlaps the entry before';
      throw invalidInput({
        file: file.name,
        field: entryField(entry.name),
        what,
        got: entry.header,
        expected: `${end}`,
      });
    }
    const offset = await readLocalHeader(file, directory, entry);
    const next = sorted[i + 1]?.header ?? directory.start;
    if (offset + entry.bytes > directory.start) {
      throw zipFault(file.name, entryField(entry.name), 'ends after the start of the central directory');
    }
    entries.set(entry.name, { name: entry.name, offset, bytes: entry.bytes });
    end = await readDescriptor(file, entry, offset + entry.bytes, next);
  }
  if (end !== directory.start) {
    const [what, expected] = ['hole before the central directory', `${end}`];
    throw invalidInput({ file: file.name, field: 'zip end', what, got: directory.start, expected });
  }
  return entries;
}

/** Compares the local header with the directory and returns the offset of the data behind it. */
async function readLocalHeader(
  file: InputFile,
  directory: Directory,
  entry: DirectoryEntry,
): Promise<number> {
  const fault = (what: string) => zipFault(file.name, entryField(entry.name), `local header: ${what}`);
  const room = directory.start - entry.header;
  const nameBytes = entry.name.length;
  if (LOCAL_BYTES + nameBytes > room) throw fault('ends after the start of the central directory');
  const view = await read(file, entry.header, LOCAL_BYTES + nameBytes);
  if (view.getUint32(0, true) !== LOCAL_MAGIC) throw fault('missing');
  const extraBytes = view.getUint16(28, true);
  if (extraBytes > MAX_EXTRA_BYTES) throw fault('extra field too long');
  if (LOCAL_BYTES + nameBytes + extraBytes > room)
    throw fault('ends after the start of the central directory');
  if (view.getUint16(26, true) !== nameBytes || latin1(view, LOCAL_BYTES, nameBytes) !== entry.name) {
    throw fault('another name than in the directory');
  }
  const flags = view.getUint16(6, true);
  assertPlain(file.name, entry.name, flags, view.getUint16(8, true));
  if (flags !== entry.flags) throw fault('other flags than in the directory');
  const fields = [view.getUint32(22, true), view.getUint32(18, true)];
  const offset = entry.header + LOCAL_BYTES + nameBytes + extraBytes;
  // Where a descriptor follows the data, the sizes and the checksum here are zeros, whatever zip64 field
  // comes along.
  const deferred = (flags & DESCRIPTOR_FLAG) !== 0 && fields.every((value) => value === 0);
  if (deferred) return offset;
  const extra = await read(file, offset - extraBytes, extraBytes);
  const sizes = widen(fields, extra, file.name, entry.name);
  if (sizes.some((size) => size !== entry.bytes)) throw fault('another size than in the directory');
  if (view.getUint32(14, true) !== entry.crc) throw fault('another checksum than in the directory');
  return offset;
}

/** Compares the descriptor between the data and `next`, if there is to be one, and returns where it ends. */
async function readDescriptor(
  file: InputFile,
  entry: DirectoryEntry,
  dataEnd: number,
  next: number,
): Promise<number> {
  const bytes = next - dataEnd;
  const isOptional = (entry.flags & DESCRIPTOR_FLAG) === 0 || entry.bytes === 0;
  if (bytes <= 0 && isOptional) return dataEnd;
  const expected = [DESCRIPTOR_BYTES, DESCRIPTOR64_BYTES];
  if ((entry.flags & DESCRIPTOR_FLAG) === 0 || !expected.includes(bytes)) {
    const what = bytes < 0 ? 'overlaps the entry behind' : 'wrong number of bytes behind the data';
    throw invalidInput({ file: file.name, field: entryField(entry.name), what, got: bytes });
  }
  const view = await read(file, dataEnd, bytes);
  const sizes =
    bytes === DESCRIPTOR_BYTES
      ? [view.getUint32(8, true), view.getUint32(12, true)]
      : [u64(view, 8), u64(view, 16)];
  const isSame =
    view.getUint32(0, true) === DESCRIPTOR_MAGIC &&
    view.getUint32(4, true) === entry.crc &&
    sizes.every((size) => size === entry.bytes);
  if (!isSame) throw zipFault(file.name, entryField(entry.name), 'wrong descriptor behind the data');
  return next;
}

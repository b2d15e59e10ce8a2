import { SCHEMES, type SchemeName } from '../../../src/core/scheme.ts';
import { byteLength } from '../../../src/core/tensor.ts';
import {
  DEFAULT_ALIGNMENT,
  FIXED_BYTES,
  type FixedType,
  type GgufArray,
  type GgufValue,
  MAGIC,
  padded,
  VALUE_TYPES,
  VERSION,
} from './types.ts';

/** A key with its value, to be written in this order. */
export type KeyValue = readonly [key: string, value: GgufValue];

/** What the header says of a tensor. `shape` is row-major, outermost first. */
export interface TensorEntry {
  readonly name: string;
  readonly scheme: SchemeName;
  readonly shape: readonly number[];
}

/** A complete plan of one GGUF v3 file. */
export interface GgufLayout {
  /** Everything up to the end of the tensor infos; zeros up to the first tensor follow. */
  readonly header: Uint8Array;
  /** Byte offset in the file of each entry, in their order. */
  readonly offsets: readonly number[];
  /** Size of the file: every tensor is padded to the alignment, the last one too. */
  readonly bytes: number;
}

/** Lays out a little-endian GGUF v3 file with alignment 32 (so `general.alignment` is not written). */
export function layoutGguf(metadata: readonly KeyValue[], entries: readonly TensorEntry[]): GgufLayout {
  const sink = new ByteSink();
  sink.raw(Buffer.from(MAGIC, 'latin1'));
  sink.fixed('u32', VERSION);
  sink.fixed('u64', BigInt(entries.length));
  sink.fixed('u64', BigInt(metadata.length));
  for (const [key, value] of metadata) {
    sink.string(key);
    sink.fixed('u32', VALUE_TYPES[value.type]);
    writeValue(sink, value);
  }
  let dataBytes = 0;
  const relative: number[] = [];
  for (const entry of entries) {
    sink.string(entry.name);
    sink.fixed('u32', entry.shape.length);
    for (const dim of entry.shape.toReversed()) sink.fixed('u64', BigInt(dim));
    sink.fixed('u32', SCHEMES[entry.scheme].ggmlType);
    sink.fixed('u64', BigInt(dataBytes));
    relative.push(dataBytes);
    dataBytes += padded(byteLength(entry), DEFAULT_ALIGNMENT);
  }
  const header = sink.bytes();
  const dataStart = padded(header.length, DEFAULT_ALIGNMENT);
  return {
    header,
    offsets: relative.map((offset) => dataStart + offset),
    bytes: dataStart + dataBytes,
  };
}

function writeValue(sink: ByteSink, value: GgufValue): void {
  if (value.type === 'array') writeArray(sink, value);
  else if (value.type === 'string') sink.string(value.value);
  else sink.fixed(value.type, value.value);
}

function writeArray(sink: ByteSink, array: GgufArray): void {
  sink.fixed('u32', VALUE_TYPES[array.items]);
  sink.fixed('u64', BigInt(array.value.length));
  if (array.items === 'array') for (const item of array.value) writeArray(sink, item);
  else if (array.items === 'string') for (const item of array.value) sink.string(item);
  else for (const item of array.value) sink.fixed(array.items, item);
}

/** Grows by doubling: a vocabulary has hundreds of thousands of small pieces. */
class ByteSink {
  #buffer = Buffer.alloc(4096);
  #length = 0;

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  raw(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#grow(bytes.length));
  }

  string(text: string): void {
    const bytes = Buffer.byteLength(text, 'utf8');
    this.fixed('u64', BigInt(bytes));
    const at = this.#grow(bytes);
    this.#buffer.write(text, at, 'utf8');
  }

  fixed(type: FixedType, value: number | bigint | boolean): void {
    const at = this.#grow(FIXED_BYTES[type]);
    const buffer = this.#buffer;
    switch (type) {
      case 'u8':
      case 'bool':
        buffer.writeUInt8(Number(value), at);
        break;
      case 'i8':
        buffer.writeInt8(Number(value), at);
        break;
      case 'u16':
        buffer.writeUInt16LE(Number(value), at);
        break;
      case 'i16':
        buffer.writeInt16LE(Number(value), at);
        break;
      case 'u32':
        buffer.writeUInt32LE(Number(value), at);
        break;
      case 'i32':
        buffer.writeInt32LE(Number(value), at);
        break;
      case 'f32':
        buffer.writeFloatLE(Number(value), at);
        break;
      case 'f64':
        buffer.writeDoubleLE(Number(value), at);
        break;
      case 'u64':
        buffer.writeBigUInt64LE(BigInt(value), at);
        break;
      case 'i64':
        buffer.writeBigInt64LE(BigInt(value), at);
        break;
    }
  }

  /** Makes room for `bytes` more and returns where they start. */
  #grow(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#length, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, at));
      this.#buffer = larger;
    }
    return at;
  }
}

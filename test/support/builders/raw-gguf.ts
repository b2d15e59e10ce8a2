import type { ByteSource } from '../../../formats/gguf/container/header-cursor.ts';
import { uniform } from './samples.ts';

/** A key-value pair as bytes: `value` is what follows the type number. */
export interface RawKey {
  key: Buffer;
  type: number;
  value: Buffer;
}

export interface RawTensor {
  name: Buffer;
  dims: bigint[];
  type: number;
  offset: bigint;
}

/** A GGUF file taken apart, so that a test can spoil any field. */
export interface RawGguf {
  magic: string;
  version: number;
  /** Counts of the header; undefined: the true ones. */
  keyCount?: bigint;
  tensorCount?: bigint;
  keys: RawKey[];
  tensors: RawTensor[];
  alignment: number;
  /** Bytes of data after the padded header. */
  dataBytes: number;
}

export const u32 = (value: number) => integer(value, 4);
export const u64 = (value: bigint | number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes;
};
export const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

export const rawKey = (key: string | Buffer, type: number, ...value: Buffer[]): RawKey => ({
  key: Buffer.from(key as string),
  type,
  value: Buffer.concat(value),
});

function integer(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, bytes);
  return buffer;
}

/** A valid file of random keys and of 3 to 6 random F32 tensors, in the manner of llama.cpp's test-gguf. */
export function randomGguf(seed: number): RawGguf {
  const next = uniform(seed);
  const below = (n: number) => Math.floor(next() * n);
  const word = () => Array.from({ length: 1 + below(12) }, () => 'abcdefghij_'[below(11)]).join('');
  const keys = Array.from({ length: 4 + below(8) }, (_, i) => {
    const key = `test.${word()}.${i}`;
    const kinds = [
      () => rawKey(key, 4, u32(below(2 ** 32))),
      () => rawKey(key, 7, integer(below(2), 1)),
      () => rawKey(key, 8, text(word())),
      () => rawKey(key, 10, u64(BigInt(below(2 ** 32)) << 20n)),
      () => rawKey(key, 9, u32(8), u64(2), text(word()), text(word())),
      () => rawKey(key, 9, u32(1), u64(3), integer(below(2 ** 24), 3)),
    ];
    return kinds[below(kinds.length)]!();
  });
  const file: RawGguf = { magic: 'GGUF', version: 3, keys, tensors: [], alignment: 32, dataBytes: 0 };
  for (let i = 0; i < 3 + below(4); i++) {
    const dims = Array.from({ length: 1 + below(3) }, () => BigInt(1 + below(9)));
    const bytes = 4 * Number(dims.reduce((product, dim) => product * dim, 1n));
    file.tensors.push({ name: Buffer.from(`${word()}.${i}`), dims, type: 0, offset: BigInt(file.dataBytes) });
    file.dataBytes += Math.ceil(bytes / 32) * 32;
  }
  return file;
}

export function ggufBytes(file: RawGguf): Buffer {
  const prefixed = (bytes: Buffer) => Buffer.concat([u64(bytes.length), bytes]);
  const header = Buffer.concat([
    Buffer.from(file.magic, 'latin1'),
    u32(file.version),
    u64(file.tensorCount ?? file.tensors.length),
    u64(file.keyCount ?? file.keys.length),
    ...file.keys.flatMap(({ key, type, value }) => [prefixed(key), u32(type), value]),
    ...file.tensors.flatMap(({ name, dims, type, offset }) => [
      ...[prefixed(name), u32(dims.length), ...dims.map(u64)],
      ...[u32(type), u64(offset)],
    ]),
  ]);
  const padding = (file.alignment - (header.length % file.alignment)) % file.alignment;
  return Buffer.concat([header, Buffer.alloc(padding + file.dataBytes, 1)]);
}

/** A file in memory. */
export function memorySource(bytes: Uint8Array, name = 'model.gguf'): ByteSource {
  return {
    name,
    bytes: bytes.length,
    async readInto(into, offset) {
      if (offset + into.length > bytes.length) throw new Error('the reader asked for bytes beyond the file');
      into.set(bytes.subarray(offset, offset + into.length));
    },
  };
}

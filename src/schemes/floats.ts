import { bitsOf, readUint16 } from './bits.ts';
import type { Decoder } from './decoder.ts';
import { halfToFloatBits } from './half.ts';

export const decodeF32: Decoder = (source, sourceOffset, target, targetOffset, count) => {
  const bytes = new Uint8Array(target.buffer, target.byteOffset + 4 * targetOffset, 4 * count);
  bytes.set(source.subarray(sourceOffset, sourceOffset + 4 * count));
};

export const decodeF16: Decoder = (source, sourceOffset, target, targetOffset, count) => {
  const bits = bitsOf(target, targetOffset, count);
  for (let i = 0; i < count; i++) bits[i] = halfToFloatBits(readUint16(source, sourceOffset + 2 * i));
};

export const decodeBF16: Decoder = (source, sourceOffset, target, targetOffset, count) => {
  const bits = bitsOf(target, targetOffset, count);
  for (let i = 0; i < count; i++) bits[i] = readUint16(source, sourceOffset + 2 * i) << 16;
};

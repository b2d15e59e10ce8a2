import { bitsOf, readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { halfBits, halfToFloatBits } from './half.ts';

/** Little-endian IEEE 754 binary16. */
export const f16: Codec = {
  scheme: 'F16',
  decode(source, sourceOffset, target, targetOffset, count) {
    const bits = bitsOf(target, targetOffset, count);
    for (let i = 0; i < count; i++) bits[i] = halfToFloatBits(readUint16(source, sourceOffset + 2 * i));
  },
  encode(source, sourceOffset, target, targetOffset, count) {
    const bits = bitsOf(source, sourceOffset, count);
    for (let i = 0; i < count; i++) writeUint16(target, targetOffset + 2 * i, halfBits(bits[i]!));
  },
};

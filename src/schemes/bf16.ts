import { bitsOf, readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { bfloatBits } from './half.ts';

/** Little-endian bfloat16: the upper half of an f32. */
export const bf16: Codec = {
  scheme: 'BF16',
  decode(source, sourceOffset, target, targetOffset, count) {
    const bits = bitsOf(target, targetOffset, count);
    for (let i = 0; i < count; i++) bits[i] = readUint16(source, sourceOffset + 2 * i) << 16;
  },
  encode(source, sourceOffset, target, targetOffset, count) {
    const bits = bitsOf(source, sourceOffset, count);
    for (let i = 0; i < count; i++) writeUint16(target, targetOffset + 2 * i, bfloatBits(bits[i]!));
  },
};

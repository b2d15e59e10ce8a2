import { bfloatBits } from '../../../../fixtures/bfloat-bits.ts';
import { bitsOf, writeUint16 } from '../../../../src/schemes/bits.ts';
import { halfBits } from '../../../../src/schemes/half.ts';
import type { SchemeOracle } from './encoder.ts';

export const f32: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count) {
    const bytes = new Uint8Array(source.buffer, source.byteOffset + 4 * sourceOffset, 4 * count);
    target.set(bytes, targetOffset);
  },
};

export const f16: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count) {
    const bits = bitsOf(source, sourceOffset, count);
    for (let i = 0; i < count; i++) writeUint16(target, targetOffset + 2 * i, halfBits(bits[i]!));
  },
};

export const bf16: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count) {
    const bits = bitsOf(source, sourceOffset, count);
    for (let i = 0; i < count; i++) writeUint16(target, targetOffset + 2 * i, bfloatBits(bits[i]!));
  },
};

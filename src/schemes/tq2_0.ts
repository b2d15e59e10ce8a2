import { readUint16, writeUint16 } from './bits.ts';
import { roundToByte } from './byte-casts.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';
import { largestMagnitude } from './magnitude.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 66;
const SCALE = 64;
const { fround } = Math;

/**
 * Blocks of 256: 64 bytes of 2-bit codes q, then an f16 scale d; a weight is d * (q - 1), q in 0..2. Weight
 * 128h + 32k + l has bits 2k, 2k + 1 of byte 32h + l. The bytes of `quantize_row_tq2_0_ref` of ggml-quants.c:
 * d = max |x|, weights are rounded to -d, 0 or d.
 */
export const tq2_0: Codec = {
  scheme: 'TQ2_0',
  decode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block + SCALE));
      for (let j = 0; j < BLOCK_SIZE; j++) {
        const code = (source[block + byteOf(j)]! >> shiftOf(j)) & 3;
        target[targetOffset + i + j] = d * (code - 1);
      }
    }
  },
  encode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const first = sourceOffset + i;
      const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = largestMagnitude(source, first, BLOCK_SIZE);
      const inverse = d === 0 ? 0 : fround(1 / d);
      target.fill(0, block, block + SCALE);
      for (let j = 0; j < BLOCK_SIZE; j++) {
        const code = (roundToByte(fround(source[first + j]! * inverse)) + 1) & 3;
        target[block + byteOf(j)]! |= code << shiftOf(j);
      }
      writeUint16(target, block + SCALE, toHalf(d));
    }
  },
};

function byteOf(j: number): number {
  return ((j >> 7) << 5) | (j & 31);
}

function shiftOf(j: number): number {
  return 2 * ((j >> 5) & 3);
}

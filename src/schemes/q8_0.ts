import { readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';

const BLOCK_SIZE = 32;
const BLOCK_BYTES = 34;
const { fround } = Math;

/**
 * Blocks of 32: an f16 scale d, then 32 signed bytes q; a weight is d * q. The bytes of `quantize_row_q8_0_ref`
 * of ggml-quants.c: d = max |x| / 127 is rounded to f16 for storage only, the codes come from the exact d.
 */
export const q8_0: Codec = {
  scheme: 'Q8_0',
  decode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      for (let j = 0; j < BLOCK_SIZE; j++) {
        target[targetOffset + i + j] = d * ((source[block + 2 + j]! << 24) >> 24);
      }
    }
  },
  encode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      encodeBlock(source, sourceOffset + i, target, targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES);
    }
  },
};

function encodeBlock(x: Float32Array, first: number, target: Uint8Array, block: number): void {
  let largest = 0;
  for (let j = 0; j < BLOCK_SIZE; j++) {
    const magnitude = Math.abs(x[first + j]!);
    // Not Math.max: ggml's macro forgets what came before a NaN, Math.max would keep the NaN.
    if (!(largest > magnitude)) largest = magnitude;
  }
  const d = fround(largest / 127);
  const inverse = d === 0 ? 0 : fround(1 / d);
  writeUint16(target, block, toHalf(d));
  for (let j = 0; j < BLOCK_SIZE; j++) {
    target[block + 2 + j] = roundHalfAway(fround(x[first + j]! * inverse));
  }
}

/**
 * C's `roundf` and a cast to an integer. The half is added in f64, where the sum of an f32 and 0.5 is exact for all
 * codes. Infinities and NaN, which a denormal scale causes, come out as 0, the low byte of x86's 0x80000000.
 */
function roundHalfAway(value: number): number {
  if (!(Math.abs(value) < 2 ** 31)) return 0;
  return Math.trunc(value + (value < 0 ? -0.5 : 0.5));
}

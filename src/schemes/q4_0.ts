import { readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';

const BLOCK_SIZE = 32;
const BLOCK_BYTES = 18;
const HALF_BLOCK = BLOCK_SIZE / 2;
const { fround } = Math;

/**
 * Blocks of 32: an f16 scale d, then 16 bytes of codes q in 0..15, weight j in the low and weight j + 16 in the high
 * nibble of byte j; a weight is d * (q - 8). The bytes of `quantize_row_q4_0_ref` of ggml-quants.c: the weight of
 * largest magnitude gets the code 0 (-8), so d has the opposite sign of that weight.
 */
export const q4_0: Codec = {
  scheme: 'Q4_0',
  decode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      for (let j = 0; j < HALF_BLOCK; j++) {
        const pair = source[block + 2 + j]!;
        target[targetOffset + i + j] = d * ((pair & 15) - 8);
        target[targetOffset + i + j + HALF_BLOCK] = d * ((pair >> 4) - 8);
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
  let magnitude = 0;
  let extreme = 0;
  for (let j = 0; j < BLOCK_SIZE; j++) {
    const value = x[first + j]!;
    if (magnitude < Math.abs(value)) {
      magnitude = Math.abs(value);
      extreme = value;
    }
  }
  const d = fround(extreme / -8);
  const inverse = d === 0 ? 0 : fround(1 / d);
  writeUint16(target, block, toHalf(d));
  for (let j = 0; j < HALF_BLOCK; j++) {
    const low = code(fround(x[first + j]! * inverse));
    const high = code(fround(x[first + j + HALF_BLOCK]! * inverse));
    target[block + 2 + j] = low | (high << 4);
  }
}

/** Infinities and NaN, which a denormal scale causes, come out as 0, the low byte of x86's 0x80000000. */
function code(scaled: number): number {
  const shifted = fround(scaled + 8.5);
  return Math.abs(shifted) < 2 ** 31 ? Math.min(15, (Math.trunc(shifted) << 24) >> 24) : 0;
}

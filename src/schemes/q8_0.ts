import { readUint16, writeUint16 } from './bits.ts';
import { roundToByte } from './byte-casts.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';
import { largestMagnitude } from './magnitude.ts';

const BLOCK_SIZE = 32;
const BLOCK_BYTES = 34;
/** Codes are -127..127. */
const CODE_LIMIT = 127;
const { fround } = Math;

/**
 * Blocks of 32: an f16 scale d, then 32 signed bytes q; a weight is d * q. The bytes of
 * `quantize_row_q8_0_ref` of ggml-quants.c: d = max |x| / 127 is rounded to f16 for storage only, the codes
 * come from the exact d.
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
  grid: {
    largestCode: 2 * CODE_LIMIT,
    stepOf: (source, block) => fromHalf(readUint16(source, block)),
    minOf: (source, block) => fround(CODE_LIMIT * fromHalf(readUint16(source, block))),
    setCode(target, block, index, code) {
      target[block + 2 + index] = code - CODE_LIMIT;
    },
  },
};

/** What of the largest weight a code of 127 must reach, lest it be rounded to 128. */
const REACH = fround(127.4);

/**
 * Writes one row with the same scale in all of its blocks, for matrices that are multiplied in integers: an
 * f16, the nearest to max |x| / 127, or the next above where that one is too small, as among subnormals.
 * Codes come from the f16.
 */
export function encodeQ8_0ByRow(
  x: Float32Array,
  first: number,
  target: Uint8Array,
  targetOffset: number,
  count: number,
): void {
  const largest = largestMagnitude(x, first, count);
  const nearest = toHalf(fround(largest / 127));
  const scale = fround(fromHalf(nearest) * REACH) < largest ? nearest + 1 : nearest;
  const d = fromHalf(scale);
  const inverse = d === 0 ? 0 : fround(1 / d);
  for (let i = 0; i < count; i += BLOCK_SIZE) {
    const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
    writeUint16(target, block, scale);
    for (let j = 0; j < BLOCK_SIZE; j++) {
      target[block + 2 + j] = roundToByte(fround(x[first + i + j]! * inverse));
    }
  }
}

function encodeBlock(x: Float32Array, first: number, target: Uint8Array, block: number): void {
  const d = fround(largestMagnitude(x, first, BLOCK_SIZE) / 127);
  const inverse = d === 0 ? 0 : fround(1 / d);
  writeUint16(target, block, toHalf(d));
  for (let j = 0; j < BLOCK_SIZE; j++) {
    target[block + 2 + j] = roundToByte(fround(x[first + j]! * inverse));
  }
}

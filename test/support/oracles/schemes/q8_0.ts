import {
  BLOCK_BYTES,
  BLOCK_SIZE,
  CODE_LIMIT,
  CODES,
  ROW_REACH,
  SCALE,
} from '../../../../src/core/scheme-constants/q8_0.ts';
import { readUint16, writeUint16 } from '../../../../src/schemes/bits.ts';
import { fromHalf, toHalf } from '../../../../src/schemes/half.ts';
import { roundToByte } from './byte-casts.ts';
import type { SchemeOracle } from './encoder.ts';
import { largestMagnitude } from './magnitude.ts';

const { fround } = Math;

/**
 * The bytes of `quantize_row_q8_0_ref` of ggml-quants.c: d = max |x| / 127 is rounded to f16 for storage
 * only, the codes come from the exact d.
 */
export const q8_0: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      encodeBlock(source, sourceOffset + i, target, targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES);
    }
  },
  grid: {
    largestCode: 2 * CODE_LIMIT,
    stepOf: (source, block) => fromHalf(readUint16(source, block + SCALE)),
    minOf: (source, block) => fround(CODE_LIMIT * fromHalf(readUint16(source, block + SCALE))),
    setCode(target, block, index, code) {
      target[block + CODES + index] = code - CODE_LIMIT;
    },
  },
};

const REACH = fround(ROW_REACH);

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
  const nearest = toHalf(fround(largest / CODE_LIMIT));
  const scale = fround(fromHalf(nearest) * REACH) < largest ? nearest + 1 : nearest;
  const d = fromHalf(scale);
  const inverse = d === 0 ? 0 : fround(1 / d);
  for (let i = 0; i < count; i += BLOCK_SIZE) {
    const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
    writeUint16(target, block + SCALE, scale);
    for (let j = 0; j < BLOCK_SIZE; j++) {
      target[block + CODES + j] = roundToByte(fround(x[first + i + j]! * inverse));
    }
  }
}

function encodeBlock(x: Float32Array, first: number, target: Uint8Array, block: number): void {
  const d = fround(largestMagnitude(x, first, BLOCK_SIZE) / CODE_LIMIT);
  const inverse = d === 0 ? 0 : fround(1 / d);
  writeUint16(target, block + SCALE, toHalf(d));
  for (let j = 0; j < BLOCK_SIZE; j++) {
    target[block + CODES + j] = roundToByte(fround(x[first + j]! * inverse));
  }
}

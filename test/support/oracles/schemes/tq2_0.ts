import { BLOCK_BYTES, BLOCK_SIZE, SCALE } from '../../../../src/core/scheme-constants/tq2_0.ts';
import { writeUint16 } from '../../../../src/schemes/bits.ts';
import { toHalf } from '../../../../src/schemes/half.ts';
import { packBitPairs } from './bit-pairs.ts';
import { roundToByte } from './byte-casts.ts';
import type { SchemeOracle } from './encoder.ts';
import { largestMagnitude } from './magnitude.ts';

const { fround } = Math;

/**
 * The bytes of `quantize_row_tq2_0_ref` of ggml-quants.c: d = max |x|, weights are rounded to -d, 0 or d.
 */
export const tq2_0: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count) {
    const codes = new Uint8Array(BLOCK_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const first = sourceOffset + i;
      const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = largestMagnitude(source, first, BLOCK_SIZE);
      const inverse = d === 0 ? 0 : fround(1 / d);
      for (let j = 0; j < BLOCK_SIZE; j++) codes[j] = roundToByte(fround(source[first + j]! * inverse)) + 1;
      packBitPairs(codes, target, block);
      writeUint16(target, block + SCALE, toHalf(d));
    }
  },
};

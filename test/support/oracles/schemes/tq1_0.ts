import { BLOCK_BYTES, BLOCK_SIZE, SCALE } from '../../../../src/core/scheme-constants/tq1_0.ts';
import { writeUint16 } from '../../../../src/schemes/bits.ts';
import { toHalf } from '../../../../src/schemes/half.ts';
import { STRETCHES } from '../../../../src/schemes/tq1_0.ts';
import { roundToByte } from './byte-casts.ts';
import type { SchemeOracle } from './encoder.ts';
import { largestMagnitude } from './magnitude.ts';

const TRITS = 5;
const { fround } = Math;

/**
 * The bytes of `quantize_row_tq1_0_ref` of ggml-quants.c: d = max |x|, weights are rounded to -d, 0 or d.
 */
export const tq1_0: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const first = sourceOffset + i;
      const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = largestMagnitude(source, first, BLOCK_SIZE);
      const inverse = d === 0 ? 0 : fround(1 / d);
      for (const { byte, bytes, weight, trits } of STRETCHES) {
        for (let m = 0; m < bytes; m++) {
          let number = 0;
          for (let n = 0; n < TRITS; n++) {
            number *= 3;
            if (n < trits) {
              number += roundToByte(fround(source[first + weight + n * bytes + m]! * inverse)) + 1;
            }
          }
          target[block + byte + m] = Math.ceil(((number & 255) * 256) / 243);
        }
      }
      writeUint16(target, block + SCALE, toHalf(d));
    }
  },
};

import { BLOCK_BYTES, BLOCK_SIZE, CODES, SCALE } from '../../../../src/core/scheme-constants/iq4_nl.ts';
import { readUint16, writeUint16 } from '../../../../src/schemes/bits.ts';
import { fromHalf, toHalf } from '../../../../src/schemes/half.ts';
import { IQ4_VALUES } from '../../../../src/schemes/iq4-values.ts';
import type { SchemeOracle } from './encoder.ts';
import { packNibbles, setNibble } from './packed-codes.ts';
import { sumOfSquares, weighBySquares, weighErrors } from './search/error-weights.ts';
import { fitIq4, iq4Code } from './search/iq4-scale.ts';

const { fround } = Math;

/**
 * Blocks of 32: an f16 scale d, then 16 bytes of codes; a weight is d times the value of its code. The bytes
 * of `quantize_iq4_nl` of ggml-quants.c, whose errors are weighted with the variance of a block, not of the
 * row.
 */
export const iq4_nl: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count, importance) {
    const codes = new Uint8Array(BLOCK_SIZE);
    const weights = new Float32Array(BLOCK_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const first = sourceOffset + i;
      const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      if (importance === undefined) {
        weighBySquares(source, first, weights);
      } else {
        const variance = fround(sumOfSquares(source, first, BLOCK_SIZE) * (2 / BLOCK_SIZE));
        weighErrors(source, first, importance.subarray(i), variance, weights);
      }
      const scale = fitIq4(source, first, weights);
      const inverse = scale === 0 ? 0 : fround(1 / scale);
      for (let j = 0; j < BLOCK_SIZE; j++) codes[j] = iq4Code(fround(inverse * source[first + j]!));
      writeUint16(target, block + SCALE, toHalf(scale));
      packNibbles(codes, target, block + CODES);
    }
  },
  grid: {
    largestCode: IQ4_VALUES.length - 1,
    levels: IQ4_VALUES,
    stepOf: (source, block) => fromHalf(readUint16(source, block + SCALE)),
    minOf: () => 0,
    setCode: (target, block, index, code) => setNibble(target, block + CODES, index, code),
  },
};

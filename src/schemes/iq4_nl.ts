import { readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';
import { packNibbles, setNibble, unpackNibbles } from './nibbles.ts';
import { sumOfSquares, weighBySquares, weighErrors } from './search/error-weights.ts';
import { fitIq4, IQ4_VALUES, iq4Code } from './search/iq4-scale.ts';

const BLOCK_SIZE = 32;
const BLOCK_BYTES = 18;
const CODES = 2;
const { fround } = Math;

/**
 * Blocks of 32: an f16 scale d, then 16 bytes of codes; a weight is d times the value of its code. The bytes
 * of `quantize_iq4_nl` of ggml-quants.c, whose errors are weighted with the variance of a block, not of the
 * row.
 */
export const iq4_nl: Codec = {
  scheme: 'IQ4_NL',
  weighs: true,
  decode(source, sourceOffset, target, targetOffset, count) {
    const codes = new Uint8Array(BLOCK_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      unpackNibbles(source, block + CODES, codes);
      for (let j = 0; j < BLOCK_SIZE; j++) target[targetOffset + i + j] = d * IQ4_VALUES[codes[j]!]!;
    }
  },
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
      writeUint16(target, block, toHalf(scale));
      packNibbles(codes, 0, target, block + CODES);
    }
  },
  grid: {
    largestCode: 15,
    levels: IQ4_VALUES,
    stepOf: (source, block) => fromHalf(readUint16(source, block)),
    minOf: () => 0,
    setCode: (target, block, index, code) => setNibble(target, block + CODES, index, code),
  },
};

import { readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';
import { packFiveBits, setFiveBits, unpackFiveBits } from './nibbles.ts';
import { meanSquare, weighErrors } from './search/error-weights.ts';
import { fitExtreme } from './search/extreme.ts';
import { fitSigned } from './search/signed-scale.ts';

const BLOCK_SIZE = 32;
const BLOCK_BYTES = 22;
const CODES = 2;
/** Codes are -16..15. */
const CODE_LIMIT = 16;

/**
 * Blocks of 32: an f16 scale d, then 20 bytes of codes q in 0..31; a weight is d * (q - 16). The bytes of
 * `quantize_row_q5_0_impl` of ggml-quants.c: without importances the weight of largest magnitude gets the
 * code 0.
 */
export const q5_0: Codec = {
  scheme: 'Q5_0',
  weighs: true,
  decode(source, sourceOffset, target, targetOffset, count) {
    const codes = new Uint8Array(BLOCK_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      unpackFiveBits(source, block + CODES, codes);
      for (let j = 0; j < BLOCK_SIZE; j++) target[targetOffset + i + j] = d * (codes[j]! - CODE_LIMIT);
    }
  },
  encode(source, sourceOffset, target, targetOffset, count, importance) {
    const codes = new Uint8Array(BLOCK_SIZE);
    const weights = new Float32Array(BLOCK_SIZE);
    const variance = importance === undefined ? 0 : meanSquare(source, sourceOffset, count);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      let d: number;
      if (importance === undefined) {
        d = fitExtreme(source, sourceOffset + i, CODE_LIMIT, codes);
      } else {
        const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
        weighErrors(x, 0, importance.subarray(i), variance, weights);
        d = fitSigned(x, 0, BLOCK_SIZE, CODE_LIMIT, weights, codes);
      }
      writeUint16(target, block, toHalf(d));
      packFiveBits(codes, target, block + CODES);
    }
  },
  grid: {
    largestCode: 31,
    stepOf: (source, block) => fromHalf(readUint16(source, block)),
    minOf: (source, block) => CODE_LIMIT * fromHalf(readUint16(source, block)),
    setCode: (target, block, index, code) => setFiveBits(target, block + CODES, index, code),
  },
};

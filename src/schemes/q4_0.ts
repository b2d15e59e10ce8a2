import { readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';
import { packNibbles, setNibble, unpackNibbles } from './nibbles.ts';
import { meanSquare, weighErrors } from './search/error-weights.ts';
import { fitExtreme } from './search/extreme.ts';
import { fitSigned } from './search/signed-scale.ts';

const BLOCK_SIZE = 32;
const BLOCK_BYTES = 18;
const CODES = 2;
/** Codes are -8..7. */
const CODE_LIMIT = 8;

/**
 * Blocks of 32: an f16 scale d, then 16 bytes of codes q in 0..15; a weight is d * (q - 8). The bytes of
 * `quantize_row_q4_0_impl` of ggml-quants.c: without importances the weight of largest magnitude gets the
 * code 0.
 */
export const q4_0: Codec = {
  scheme: 'Q4_0',
  weighs: true,
  decode(source, sourceOffset, target, targetOffset, count) {
    const codes = new Uint8Array(BLOCK_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      unpackNibbles(source, block + CODES, codes);
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
      packNibbles(codes, 0, target, block + CODES);
    }
  },
  grid: {
    largestCode: 15,
    stepOf: (source, block) => fromHalf(readUint16(source, block)),
    minOf: (source, block) => CODE_LIMIT * fromHalf(readUint16(source, block)),
    setCode: (target, block, index, code) => setNibble(target, block + CODES, index, code),
  },
};

import { readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';
import { packNibbles, setNibble, unpackNibbles } from './nibbles.ts';
import { meanSquare, weighErrors } from './search/error-weights.ts';
import { fitOffset, type OffsetFit, type OffsetSearch } from './search/offset-scale.ts';
import { fitRange } from './search/range.ts';

const BLOCK_SIZE = 32;
const BLOCK_BYTES = 20;
const MIN = 2;
const CODES = 4;
const LARGEST = 15;
const SEARCH: OffsetSearch = { from: -0.9, step: 0.05, steps: 36 };
const { fround } = Math;

/**
 * Blocks of 32: an f16 scale d and an f16 offset m, then 16 bytes of codes q in 0..15; a weight is d * q + m.
 * The bytes of `quantize_row_q4_1_impl` of ggml-quants.c: without importances the codes span the range of the
 * weights.
 */
export const q4_1: Codec = {
  scheme: 'Q4_1',
  weighs: true,
  decode(source, sourceOffset, target, targetOffset, count) {
    const codes = new Uint8Array(BLOCK_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      const m = fromHalf(readUint16(source, block + MIN));
      unpackNibbles(source, block + CODES, codes);
      for (let j = 0; j < BLOCK_SIZE; j++) target[targetOffset + i + j] = fround(d * codes[j]!) + m;
    }
  },
  encode(source, sourceOffset, target, targetOffset, count, importance) {
    const codes = new Uint8Array(BLOCK_SIZE);
    const weights = new Float32Array(BLOCK_SIZE);
    const fit: OffsetFit = { scale: 0, min: 0 };
    const variance = importance === undefined ? 0 : meanSquare(source, sourceOffset, count);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      if (importance === undefined) {
        fitRange(source, sourceOffset + i, LARGEST, codes, fit);
      } else {
        const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
        weighErrors(x, 0, importance.subarray(i), variance, weights);
        fitOffset(x, 0, weights, LARGEST, SEARCH, codes, fit);
      }
      writeUint16(target, block, toHalf(fit.scale));
      writeUint16(target, block + MIN, toHalf(-fit.min));
      packNibbles(codes, 0, target, block + CODES);
    }
  },
  grid: {
    largestCode: 15,
    stepOf: (source, block) => fromHalf(readUint16(source, block)),
    minOf: (source, block) => -fromHalf(readUint16(source, block + MIN)),
    setCode: (target, block, index, code) => setNibble(target, block + CODES, index, code),
  },
};

import { readUint16, readUint32 } from './bits.ts';
import type { Codec } from './codec.ts';
import { halfStepScale, putSignedRow } from './grid-rows.ts';
import { evenSigns, gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 98;
const SCALES_AND_SIGNS = 66;

/**
 * Super-blocks of 256: a half d, a byte of the grid's row for each 4 weights, and for each 32 a word of four
 * times seven signs and a scale s of 4 bits; a weight is d * (s + 1/2) / 2 * grid value.
 * `dequantize_row_iq3_xxs` of ggml-quants.c.
 */
export const iq3_xxs: Codec = {
  scheme: 'IQ3_XXS',
  decode(source, sourceOffset, target, targetOffset, count) {
    const grid = gridOf('IQ3_XXS');
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      for (let run = 0; run < 64; run++) {
        const word = readUint32(source, block + SCALES_AND_SIGNS + 4 * (run >> 3));
        const scale = halfStepScale(d, word >>> 28, 0.5);
        const signs = evenSigns((word >>> (7 * ((run >> 1) & 3))) & 127) >> (run & 1 ? 4 : 0);
        const first = 4 * source[block + 2 + run]!;
        putSignedRow(grid, first, 4, signs, scale, target, targetOffset + i + 4 * run);
      }
    }
  },
};

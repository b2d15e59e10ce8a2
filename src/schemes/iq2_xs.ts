import { readUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { halfStepScale, putSignedRow } from './grid-rows.ts';
import { evenSigns, gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 74;
const SCALES = 66;

/**
 * Super-blocks of 256: a half d, a word for each 8 weights (a row of the grid in 9 bits, seven signs), a
 * nibble s for each 16; a weight is d * (s + 1/2) / 4 * grid value. `dequantize_row_iq2_xs` of ggml-quants.c.
 */
export const iq2_xs: Codec = {
  scheme: 'IQ2_XS',
  decode(source, sourceOffset, target, targetOffset, count) {
    const grid = gridOf('IQ2_XS');
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      for (let run = 0; run < 32; run++) {
        const word = readUint16(source, block + 2 + 2 * run);
        const scales = source[block + SCALES + (run >> 2)]!;
        const scale = halfStepScale(d, (scales >> (run & 2 ? 4 : 0)) & 15, 0.25);
        const signs = evenSigns(word >> 9);
        putSignedRow(grid, 8 * (word & 511), 8, signs, scale, target, targetOffset + i + 8 * run);
      }
    }
  },
};

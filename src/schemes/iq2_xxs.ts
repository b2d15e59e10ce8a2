import { readUint16, readUint32 } from './bits.ts';
import type { Codec } from './codec.ts';
import { halfStepScale, putSignedRow } from './grid-rows.ts';
import { evenSigns, gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 66;

/**
 * Super-blocks of 256: a half d, then 8 bytes for each 32 weights: four rows of the grid, and a word of four
 * times seven signs and a scale s of 4 bits; a weight is d * (s + 1/2) / 4 * grid value.
 * `dequantize_row_iq2_xxs` of ggml-quants.c.
 */
export const iq2_xxs: Codec = {
  scheme: 'IQ2_XXS',
  decode(source, sourceOffset, target, targetOffset, count) {
    const grid = gridOf('IQ2_XXS');
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      for (let part = 0; part < 8; part++) {
        const at = block + 2 + 8 * part;
        const word = readUint32(source, at + 4);
        const scale = halfStepScale(d, word >>> 28, 0.25);
        for (let l = 0; l < 4; l++) {
          const signs = evenSigns((word >>> (7 * l)) & 127);
          putSignedRow(
            grid,
            8 * source[at + l]!,
            8,
            signs,
            scale,
            target,
            targetOffset + i + 32 * part + 8 * l,
          );
        }
      }
    }
  },
};

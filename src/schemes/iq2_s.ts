import { readUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { halfStepScale, putSignedRow } from './grid-rows.ts';
import { gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 82;
const SIGNS = 34;
const HIGH_BITS = 66;
const SCALES = 74;

/**
 * Super-blocks of 256: a half d, for each 8 weights a byte of the grid's row and a byte of signs, for each 32
 * a byte with two higher bits of four rows, for each 16 a nibble s; a weight is d * (s + 1/2) / 4 * grid
 * value. `dequantize_row_iq2_s` of ggml-quants.c.
 */
export const iq2_s: Codec = {
  scheme: 'IQ2_S',
  decode(source, sourceOffset, target, targetOffset, count) {
    const grid = gridOf('IQ2_S');
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      for (let run = 0; run < 32; run++) {
        const high = (source[block + HIGH_BITS + (run >> 2)]! >> (2 * (run & 3))) & 3;
        const row = source[block + 2 + run]! | (high << 8);
        const scales = source[block + SCALES + (run >> 2)]!;
        const scale = halfStepScale(d, (scales >> (run & 2 ? 4 : 0)) & 15, 0.25);
        const signs = source[block + SIGNS + run]!;
        putSignedRow(grid, 8 * row, 8, signs, scale, target, targetOffset + i + 8 * run);
      }
    }
  },
};

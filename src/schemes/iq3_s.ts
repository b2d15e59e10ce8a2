import { readUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { putSignedRow } from './grid-rows.ts';
import { gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 110;
const HIGH_BITS = 66;
const SIGNS = 74;
const SCALES = 106;

/**
 * Super-blocks of 256: a half d, for each 4 weights a byte of the grid's row and a higher bit, for each 8 a
 * byte of signs, for each 32 a nibble s; a weight is d * (2s + 1) * grid value. `dequantize_row_iq3_s` of
 * ggml-quants.c.
 */
export const iq3_s: Codec = {
  scheme: 'IQ3_S',
  decode(source, sourceOffset, target, targetOffset, count) {
    const grid = gridOf('IQ3_S');
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      for (let run = 0; run < 64; run++) {
        const high = (source[block + HIGH_BITS + (run >> 3)]! >> (run & 7)) & 1;
        const row = source[block + 2 + run]! | (high << 8);
        const scales = source[block + SCALES + (run >> 4)]!;
        const scale = Math.fround(d * (2 * ((scales >> (run & 8 ? 4 : 0)) & 15) + 1));
        const signs = source[block + SIGNS + (run >> 1)]! >> (run & 1 ? 4 : 0);
        putSignedRow(grid, 4 * row, 4, signs, scale, target, targetOffset + i + 4 * run);
      }
    }
  },
};

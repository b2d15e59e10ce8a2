import * as iq3_s from '../core/scheme-constants/iq3_s.ts';
import { GROUP_SCALES, HIGH_BITS, ROWS, SCALE, SIGNS } from '../core/scheme-constants/iq3_s.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { putSignedRow } from './grid-rows.ts';
import { gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

/** `dequantize_row_iq3_s` of ggml-quants.c. */
export const decodeIQ3_S = decoderOfBlocks(iq3_s, (source, block, target, first) => {
  const grid = gridOf('IQ3_S');
  const d = fromHalf(readUint16(source, block + SCALE));
  for (let run = 0; run < 64; run++) {
    const high = (source[block + HIGH_BITS + (run >> 3)]! >> (run & 7)) & 1;
    const row = source[block + ROWS + run]! | (high << 8);
    const scales = source[block + GROUP_SCALES + (run >> 4)]!;
    const scale = Math.fround(d * (2 * ((scales >> (run & 8 ? 4 : 0)) & 15) + 1));
    const signs = source[block + SIGNS + (run >> 1)]! >> (run & 1 ? 4 : 0);
    putSignedRow(grid, 4 * row, 4, signs, scale, target, first + 4 * run);
  }
});

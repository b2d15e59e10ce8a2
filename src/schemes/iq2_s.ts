import * as iq2_s from '../core/scheme-constants/iq2_s.ts';
import { GROUP_SCALES, HIGH_BITS, ROWS, SCALE, SIGNS } from '../core/scheme-constants/iq2_s.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { halfStepScale, putSignedRow } from './grid-rows.ts';
import { gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

/** `dequantize_row_iq2_s` of ggml-quants.c. */
export const decodeIQ2_S = decoderOfBlocks(iq2_s, (source, block, target, first) => {
  const grid = gridOf('IQ2_S');
  const d = fromHalf(readUint16(source, block + SCALE));
  for (let run = 0; run < 32; run++) {
    const high = (source[block + HIGH_BITS + (run >> 2)]! >> (2 * (run & 3))) & 3;
    const row = source[block + ROWS + run]! | (high << 8);
    const scales = source[block + GROUP_SCALES + (run >> 2)]!;
    const scale = halfStepScale(d, (scales >> (run & 2 ? 4 : 0)) & 15, 0.25);
    const signs = source[block + SIGNS + run]!;
    putSignedRow(grid, 8 * row, 8, signs, scale, target, first + 8 * run);
  }
});

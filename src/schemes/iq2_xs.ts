import * as iq2_xs from '../core/scheme-constants/iq2_xs.ts';
import { GROUP_SCALES, ROWS, SCALE } from '../core/scheme-constants/iq2_xs.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { halfStepScale, putSignedRow } from './grid-rows.ts';
import { evenSigns, gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

/** `dequantize_row_iq2_xs` of ggml-quants.c. */
export const decodeIQ2_XS = decoderOfBlocks(iq2_xs, (source, block, target, first) => {
  const grid = gridOf('IQ2_XS');
  const d = fromHalf(readUint16(source, block + SCALE));
  for (let run = 0; run < 32; run++) {
    const word = readUint16(source, block + ROWS + 2 * run);
    const scales = source[block + GROUP_SCALES + (run >> 2)]!;
    const scale = halfStepScale(d, (scales >> (run & 2 ? 4 : 0)) & 15, 0.25);
    const signs = evenSigns(word >> 9);
    putSignedRow(grid, 8 * (word & 511), 8, signs, scale, target, first + 8 * run);
  }
});

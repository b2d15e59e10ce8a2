import * as iq3_xxs from '../core/scheme-constants/iq3_xxs.ts';
import { ROWS, SCALE, SCALES_AND_SIGNS } from '../core/scheme-constants/iq3_xxs.ts';
import { readUint16, readUint32 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { halfStepScale, putSignedRow } from './grid-rows.ts';
import { evenSigns, gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

/** `dequantize_row_iq3_xxs` of ggml-quants.c. */
export const decodeIQ3_XXS = decoderOfBlocks(iq3_xxs, (source, block, target, first) => {
  const grid = gridOf('IQ3_XXS');
  const d = fromHalf(readUint16(source, block + SCALE));
  for (let run = 0; run < 64; run++) {
    const word = readUint32(source, block + SCALES_AND_SIGNS + 4 * (run >> 3));
    const scale = halfStepScale(d, word >>> 28, 0.5);
    const signs = evenSigns((word >>> (7 * ((run >> 1) & 3))) & 127) >> (run & 1 ? 4 : 0);
    const row = source[block + ROWS + run]!;
    putSignedRow(grid, 4 * row, 4, signs, scale, target, first + 4 * run);
  }
});

import * as iq2_xxs from '../core/scheme-constants/iq2_xxs.ts';
import { ROWS, SCALE } from '../core/scheme-constants/iq2_xxs.ts';
import { readUint16, readUint32 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { halfStepScale, putSignedRow } from './grid-rows.ts';
import { evenSigns, gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

/** `dequantize_row_iq2_xxs` of ggml-quants.c. */
export const decodeIQ2_XXS = decoderOfBlocks(iq2_xxs, (source, block, target, first) => {
  const grid = gridOf('IQ2_XXS');
  const d = fromHalf(readUint16(source, block + SCALE));
  for (let part = 0; part < 8; part++) {
    const at = block + ROWS + 8 * part;
    const word = readUint32(source, at + 4);
    const scale = halfStepScale(d, word >>> 28, 0.25);
    for (let l = 0; l < 4; l++) {
      const signs = evenSigns((word >>> (7 * l)) & 127);
      putSignedRow(grid, 8 * source[at + l]!, 8, signs, scale, target, first + 32 * part + 8 * l);
    }
  }
});

import * as iq1_s from '../core/scheme-constants/iq1_s.ts';
import { HIGH_BITS, ROWS, SCALE, SHIFT } from '../core/scheme-constants/iq1_s.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

/** `dequantize_row_iq1_s` of ggml-quants.c. */
export const decodeIQ1_S = decoderOfBlocks(iq1_s, (source, block, target, first) => {
  const grid = gridOf('IQ1_S');
  const d = fromHalf(readUint16(source, block + SCALE));
  for (let run = 0; run < 32; run++) {
    const word = readUint16(source, block + HIGH_BITS + 2 * (run >> 2));
    const row = source[block + ROWS + run]! | (((word >> (3 * (run & 3))) & 7) << 8);
    const scale = Math.fround(d * (2 * ((word >> 12) & 7) + 1));
    const shift = word & 0x8000 ? -SHIFT : SHIFT;
    const at = first + 8 * run;
    for (let j = 0; j < 8; j++) target[at + j] = scale * (grid[8 * row + j]! + shift);
  }
});

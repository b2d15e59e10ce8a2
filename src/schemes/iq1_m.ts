import * as iq1_m from '../core/scheme-constants/iq1_m.ts';
import { HIGH_BITS, SCALES } from '../core/scheme-constants/iq1_m.ts';
import { SHIFT } from '../core/scheme-constants/iq1_s.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

/** `dequantize_row_iq1_m` of ggml-quants.c. */
export const decodeIQ1_M = decoderOfBlocks(iq1_m, (source, block, target, first) => {
  const grid = gridOf('IQ1_S');
  const d = superScale(source, block + SCALES);
  for (let run = 0; run < 32; run++) {
    const nibble = source[block + HIGH_BITS + (run >> 1)]! >> (run & 1 ? 4 : 0);
    const row = source[block + run]! | ((nibble & 7) << 8);
    const scales = readUint16(source, block + SCALES + 2 * (run >> 3));
    const scale = Math.fround(d * (2 * ((scales >> (3 * ((run >> 1) & 3))) & 7) + 1));
    const shift = nibble & 8 ? -SHIFT : SHIFT;
    const at = first + 8 * run;
    for (let j = 0; j < 8; j++) target[at + j] = scale * (grid[8 * row + j]! + shift);
  }
});

/** The half whose nibbles are the upper ones of four words, lowest first. */
function superScale(source: Uint8Array, at: number): number {
  let half = 0;
  for (let k = 0; k < 4; k++) half |= (source[at + 2 * k + 1]! >> 4) << (4 * k);
  return fromHalf(half);
}

import { readUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { gridOf } from './grids.ts';
import { fromHalf } from './half.ts';
import { IQ1_SHIFT } from './iq1_s.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 56;
const HIGH_BITS = 32;
const SCALES = 48;

/**
 * Super-blocks of 256: a byte of the grid's row for each 8 weights, a nibble with its three higher bits and
 * the sign of the shift, and four words that hold 3 bits of scale s for each 16 weights and, in their upper
 * nibbles, a half d; a weight is d * (2s + 1) * (grid value +- 1/8). `dequantize_row_iq1_m` of ggml-quants.c.
 */
export const iq1_m: Codec = {
  scheme: 'IQ1_M',
  decode(source, sourceOffset, target, targetOffset, count) {
    const grid = gridOf('IQ1_S');
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = superScale(source, block + SCALES);
      for (let run = 0; run < 32; run++) {
        const nibble = source[block + HIGH_BITS + (run >> 1)]! >> (run & 1 ? 4 : 0);
        const row = source[block + run]! | ((nibble & 7) << 8);
        const scales = readUint16(source, block + SCALES + 2 * (run >> 3));
        const scale = Math.fround(d * (2 * ((scales >> (3 * ((run >> 1) & 3))) & 7) + 1));
        const shift = nibble & 8 ? -IQ1_SHIFT : IQ1_SHIFT;
        const at = targetOffset + i + 8 * run;
        for (let j = 0; j < 8; j++) target[at + j] = scale * (grid[8 * row + j]! + shift);
      }
    }
  },
};

/** The half whose nibbles are the upper ones of four words, lowest first. */
function superScale(source: Uint8Array, at: number): number {
  let half = 0;
  for (let k = 0; k < 4; k++) half |= (source[at + 2 * k + 1]! >> 4) << (4 * k);
  return fromHalf(half);
}

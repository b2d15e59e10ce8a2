import { readUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { gridOf } from './grids.ts';
import { fromHalf } from './half.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 50;
const HIGH_BITS = 34;
/** What all values of a run are moved by, up or down. */
export const IQ1_SHIFT = 0.125;

/**
 * Super-blocks of 256: a half d, a byte of the grid's row for each 8 weights, and for each 32 a word with
 * three higher bits of four rows, a scale s of 3 bits and the sign of the shift; a weight is d * (2s + 1) *
 * (grid value +- 1/8). `dequantize_row_iq1_s` of ggml-quants.c.
 */
export const iq1_s: Codec = {
  scheme: 'IQ1_S',
  decode(source, sourceOffset, target, targetOffset, count) {
    const grid = gridOf('IQ1_S');
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block));
      for (let run = 0; run < 32; run++) {
        const word = readUint16(source, block + HIGH_BITS + 2 * (run >> 2));
        const row = source[block + 2 + run]! | (((word >> (3 * (run & 3))) & 7) << 8);
        const scale = Math.fround(d * (2 * ((word >> 12) & 7) + 1));
        const shift = word & 0x8000 ? -IQ1_SHIFT : IQ1_SHIFT;
        const at = targetOffset + i + 8 * run;
        for (let j = 0; j < 8; j++) target[at + j] = scale * (grid[8 * row + j]! + shift);
      }
    }
  },
};

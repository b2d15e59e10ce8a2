/**
 * Super-blocks of 256: a half d, a byte of the grid's row for each 4 weights, and for each 32 a word of four
 * times seven signs and a scale s of 4 bits; a weight is d * (s + 1/2) / 2 * grid value.
 */
export const GGML_TYPE = 18;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 98;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const SCALE = 0;
export const ROWS = 2;
export const SCALES_AND_SIGNS = 66;

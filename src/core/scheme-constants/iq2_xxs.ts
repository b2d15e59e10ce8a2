/**
 * Super-blocks of 256: a half d, then 8 bytes for each 32 weights: four rows of the grid, and a word of four
 * times seven signs and a scale s of 4 bits; a weight is d * (s + 1/2) / 4 * grid value.
 */
export const GGML_TYPE = 16;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 66;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const SCALE = 0;
export const ROWS = 2;

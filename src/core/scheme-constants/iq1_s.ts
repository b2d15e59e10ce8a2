/**
 * Super-blocks of 256: a half d, a byte of the grid's row for each 8 weights, and for each 32 a word with
 * three higher bits of four rows, a scale s of 3 bits and the sign of the shift; a weight is d * (2s + 1) *
 * (grid value +- 1/8).
 */
export const GGML_TYPE = 19;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 50;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const SCALE = 0;
export const ROWS = 2;
export const HIGH_BITS = 34;

/** What all values of a run are moved by, up or down. */
export const SHIFT = 0.125;

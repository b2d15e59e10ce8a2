/**
 * Super-blocks of 256: a half d, for each 8 weights a byte of the grid's row and a byte of signs, for each 32
 * a byte with two higher bits of four rows, for each 16 a nibble s; a weight is d * (s + 1/2) / 4 * grid
 * value.
 */
export const GGML_TYPE = 22;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 82;
export const GROUP_SIZE = 16;

/** Byte offsets in a block. */
export const SCALE = 0;
export const ROWS = 2;
export const SIGNS = 34;
export const HIGH_BITS = 66;
export const GROUP_SCALES = 74;

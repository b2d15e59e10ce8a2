/**
 * Super-blocks of 256: a half d, for each 4 weights a byte of the grid's row and a higher bit, for each 8 a
 * byte of signs, for each 32 a nibble s; a weight is d * (2s + 1) * grid value.
 */
export const GGML_TYPE = 21;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 110;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const SCALE = 0;
export const ROWS = 2;
export const HIGH_BITS = 66;
export const SIGNS = 74;
export const GROUP_SCALES = 106;

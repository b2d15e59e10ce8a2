/**
 * Super-blocks of 256: a half d, a word for each 8 weights (a row of the grid in 9 bits, seven signs), a
 * nibble s for each 16; a weight is d * (s + 1/2) / 4 * grid value.
 */
export const GGML_TYPE = 17;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 74;
export const GROUP_SIZE = 16;

/** Byte offsets in a block. */
export const SCALE = 0;
export const ROWS = 2;
export const GROUP_SCALES = 66;

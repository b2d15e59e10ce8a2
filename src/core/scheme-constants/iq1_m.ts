/**
 * Super-blocks of 256: a byte of the grid's row for each 8 weights, a nibble with its three higher bits and
 * the sign of the shift, and four words that hold 3 bits of scale s for each 16 weights and, in their upper
 * nibbles, a half d; a weight is d * (2s + 1) * (grid value +- 1/8), by the grid and the shift of IQ1_S.
 */
export const GGML_TYPE = 29;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 56;
export const GROUP_SIZE = 16;

/** Byte offsets in a block. */
export const HIGH_BITS = 32;
export const SCALES = 48;

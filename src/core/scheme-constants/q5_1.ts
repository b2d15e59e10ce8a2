/**
 * Blocks of 32: an f16 scale d and an f16 offset m, then 20 bytes of codes q in 0..31; a weight is d * q + m.
 */
export const GGML_TYPE = 7;
export const BLOCK_SIZE = 32;
export const BLOCK_BYTES = 24;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const SCALE = 0;
export const OFFSET = 2;
export const CODES = 4;

export const LARGEST_CODE = 31;

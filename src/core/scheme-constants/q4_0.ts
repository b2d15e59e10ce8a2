/** Blocks of 32: an f16 scale d, then 16 bytes of codes q in 0..15; a weight is d * (q - 8). */
export const GGML_TYPE = 2;
export const BLOCK_SIZE = 32;
export const BLOCK_BYTES = 18;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const SCALE = 0;
export const CODES = 2;

/** Codes less this are -8..7. */
export const CODE_LIMIT = 8;

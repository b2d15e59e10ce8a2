/** Blocks of 32: an f16 scale d, then 20 bytes of codes q in 0..31; a weight is d * (q - 16). */
export const GGML_TYPE = 6;
export const BLOCK_SIZE = 32;
export const BLOCK_BYTES = 22;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const SCALE = 0;
export const CODES = 2;

/** Codes less this are -16..15. */
export const CODE_LIMIT = 16;

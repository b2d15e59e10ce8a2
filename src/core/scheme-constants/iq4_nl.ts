/** Blocks of 32: an f16 scale d, then 16 bytes of codes; a weight is d times the value of its code. */
export const GGML_TYPE = 20;
export const BLOCK_SIZE = 32;
export const BLOCK_BYTES = 18;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const SCALE = 0;
export const CODES = 2;

/**
 * Super-blocks of 256: an f16 scale d, 8 group scales s of 6 bits (16 bits of high pairs, then four bytes of
 * low nibbles), then 16 bytes of codes per group of 32; a weight is d * (s - 32) times the value of its code.
 */
export const GGML_TYPE = 23;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 136;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const SCALE = 0;
export const SCALES_HIGH = 2;
export const SCALES_LOW = 4;
export const CODES = 8;

/** Group scales less this are -32..31. */
export const SCALE_LIMIT = 32;

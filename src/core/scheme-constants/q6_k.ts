/**
 * Super-blocks of 256 in groups of 16: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed group
 * scales s, an f16 scale d; a weight is d * s * q, q in -32..31.
 */
export const GGML_TYPE = 14;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 210;
export const GROUP_SIZE = 16;

/** Byte offsets in a block. */
export const BIT_PAIRS = 128;
export const GROUP_SCALES = 192;
export const SCALE = 208;

/** Codes less this are q. */
export const CODE_LIMIT = 32;

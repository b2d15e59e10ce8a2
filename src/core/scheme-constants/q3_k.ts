/**
 * Super-blocks of 256 in groups of 16: 32 bytes whose bit k is the third bit of the weights 32k + j, 64 bytes
 * of bit pairs, 12 bytes of 6-bit scales s, a half d; a weight is d * s * q, s in -32..31, q in -4..3.
 */
export const GGML_TYPE = 11;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 110;
export const GROUP_SIZE = 16;

/** Byte offsets in a block. */
export const BIT_PAIRS = 32;
export const GROUP_SCALES = 96;
export const SCALE = 108;

/** Codes less this are q. */
export const CODE_LIMIT = 4;
/** Codes of scales less this are s. */
export const SCALE_LIMIT = 32;

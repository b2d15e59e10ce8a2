/**
 * Super-blocks of 256 in groups of 16: 16 bytes with a scale s in the low and a min m in the high nibble, 64
 * bytes of bit pairs q, halves d and dmin; a weight is d * s * q - dmin * m.
 */
export const GGML_TYPE = 10;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 84;
export const GROUP_SIZE = 16;

/** Byte offsets in a block. */
export const BIT_PAIRS = 16;
export const SCALE = 80;
export const MIN = 82;

export const LARGEST_CODE = 3;
export const LARGEST_SCALE = 15;

/** Without importances, code ranges are tried that are so much wider than the largest code. */
export const SEARCH_FROM = -0.5;
export const SEARCH_STEP = 0.1;
export const SEARCH_STEPS = 15;

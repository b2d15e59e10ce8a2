/**
 * Super-blocks of 256 in groups of 32: halves d and dmin, 12 bytes of 6-bit scales s and mins m, 128 bytes of
 * nibbles q; a weight is d * s * q - dmin * m.
 */
export const GGML_TYPE = 12;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 144;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const SCALE = 0;
export const MIN = 2;
export const GROUP_SCALES = 4;
export const NIBBLES = 16;

export const LARGEST_CODE = 15;
export const LARGEST_SCALE = 63;

/** Without importances, code ranges are tried that are so much wider than the largest code. */
export const SEARCH_FROM = -1;
export const SEARCH_STEP = 0.1;
export const SEARCH_STEPS = 20;

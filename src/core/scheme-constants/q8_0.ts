/** Blocks of 32: an f16 scale d, then 32 signed bytes q in -127..127; a weight is d * q. */
export const GGML_TYPE = 8;
export const BLOCK_SIZE = 32;
export const BLOCK_BYTES = 34;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const SCALE = 0;
export const CODES = 2;

export const CODE_LIMIT = 127;

/**
 * With one scale in a row: what a code of 127 must reach of its largest weight, lest it be rounded to 128.
 */
export const ROW_REACH = 127.4;

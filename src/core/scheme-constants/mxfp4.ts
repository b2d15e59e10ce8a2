/**
 * OCP microscaling, blocks of 32: an exponent e of 8 bits, then 16 bytes of e2m1 codes; a weight is 2^(e -
 * 127) times the value of its code.
 */
export const GGML_TYPE = 39;
export const BLOCK_SIZE = 32;
export const BLOCK_BYTES = 17;
export const GROUP_SIZE = 32;

/** Byte offsets in a block. */
export const EXPONENT = 0;
export const CODES = 1;

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

/** Twice the values of the codes 0..15, which are e2m1. Code 8 is never written. */
export const DOUBLED_0 = 0;
export const DOUBLED_1 = 1;
export const DOUBLED_2 = 2;
export const DOUBLED_3 = 3;
export const DOUBLED_4 = 4;
export const DOUBLED_5 = 6;
export const DOUBLED_6 = 8;
export const DOUBLED_7 = 12;
export const DOUBLED_8 = 0;
export const DOUBLED_9 = -1;
export const DOUBLED_10 = -2;
export const DOUBLED_11 = -3;
export const DOUBLED_12 = -4;
export const DOUBLED_13 = -6;
export const DOUBLED_14 = -8;
export const DOUBLED_15 = -12;

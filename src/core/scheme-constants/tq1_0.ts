/**
 * Blocks of 256: 52 bytes of ternary codes q, then an f16 scale d; a weight is d * (q - 1). Five trits t make
 * the number t0 t1 t2 t3 t4 of base 3, below 243, stored as a fraction of 256 rounded up, so that a trit is
 * the carry of a multiplication by 3; the last four bytes hold four trits.
 */
export const GGML_TYPE = 34;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 54;
export const GROUP_SIZE = 256;

/** Byte offsets in a block. */
export const FOURS = 48;
export const SCALE = 52;

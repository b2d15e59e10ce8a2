/**
 * Blocks of 256: 64 bytes of 2-bit codes q, then an f16 scale d; a weight is d * (q - 1), q in 0..2. Weight
 * 128h + 32k + l has bits 2k, 2k + 1 of byte 32h + l.
 */
export const GGML_TYPE = 35;
export const BLOCK_SIZE = 256;
export const BLOCK_BYTES = 66;
export const GROUP_SIZE = 256;

/** Byte offsets in a block. */
export const SCALE = 64;

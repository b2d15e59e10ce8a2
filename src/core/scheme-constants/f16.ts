/** Little-endian IEEE 754 binary16. */
export const GGML_TYPE = 1;
export const BLOCK_SIZE = 1;
export const BLOCK_BYTES = 2;
export const GROUP_SIZE = 1;

/** Little-endian bfloat16: the upper half of an f32. */
export const GGML_TYPE = 30;
export const BLOCK_SIZE = 1;
export const BLOCK_BYTES = 2;
export const GROUP_SIZE = 1;

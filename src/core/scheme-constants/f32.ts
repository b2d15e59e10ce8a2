/** Little-endian f32, stored as is. */
export const GGML_TYPE = 0;
export const BLOCK_SIZE = 1;
export const BLOCK_BYTES = 4;
export const GROUP_SIZE = 1;

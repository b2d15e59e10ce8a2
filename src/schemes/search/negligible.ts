/** Below this a group counts as zero: GROUP_MAX_EPS of ggml-quants.c. */
export const NEGLIGIBLE = Math.fround(1e-15);

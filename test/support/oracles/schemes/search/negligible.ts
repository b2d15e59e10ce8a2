import { NEGLIGIBLE as EPSILON } from '../../../../../src/core/scheme-constants/search.ts';

/** Below this a group counts as zero: GROUP_MAX_EPS of ggml-quants.c. */
export const NEGLIGIBLE = Math.fround(EPSILON);

/** How encoders search for scales: numbers of ggml-quants.c that several schemes share. */

/** Below this a group of weights counts as zero: GROUP_MAX_EPS. */
export const NEGLIGIBLE = 1e-15;

/** Signed codes: so many tenths are added to the limit of codes and taken from it. */
export const SIGNED_TENTHS = 9;
/** Scales of positive numbers: likewise. */
export const POSITIVE_TENTHS = 4;
/** Coordinate descent ends after so many passes. */
export const MAX_PASSES = 5;

/** Scales with a min, by importances: code ranges that are so much wider than the largest code. */
export const WEIGHTED_FROM = -0.9;
export const WEIGHTED_STEP = 0.05;
export const WEIGHTED_STEPS = 36;

/** How encoders search for scales: numbers of ggml-quants.c that several schemes share. */

/** Below this a group of weights counts as zero: GROUP_MAX_EPS. */
export const NEGLIGIBLE = 1e-15;

/** Signed codes: so many tenths are added to the limit of codes and taken from it. */
export const SIGNED_TENTHS = 9;
/** Scales of positive numbers: likewise. */
export const POSITIVE_TENTHS = 4;
/** IQ4: so many steps around the lowest value. */
export const IQ4_STEPS = 7;
/** Coordinate descent ends after so many passes. */
export const MAX_PASSES = 5;

/** Scales with a min, by importances: code ranges that are so much wider than the largest code. */
export const WEIGHTED_FROM = -0.9;
export const WEIGHTED_STEP = 0.05;
export const WEIGHTED_STEPS = 36;

/** What a code of 127 must reach of the largest weight of a row of Q8_0, lest it be rounded to 128. */
export const ROW_REACH = 127.4;

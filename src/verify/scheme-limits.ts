import type { SchemeName } from '../core/scheme.ts';

/** What rounding to a scheme may cost. Above it the artifact is damaged, or wrongly made. */
export interface SchemeLimits {
  /** Root mean square error of a tensor, relative to that of its weights. */
  readonly rms: number;
  /** Largest error in a row, relative to the largest weight of the row: one damaged block shows here. */
  readonly row: number;
  /** Weights below this count as this: scales of f16 lose bits below 2^-14. */
  readonly floor: number;
}

/** A tensor of nothing but zeros is off by 1, whatever its scheme. */
const BELOW_ZEROS = 0.999;

/**
 * `rms` is about twice the error of heavy-tailed weights (cubes of Gaussians): Q8_0 0.0087, Q6_K 0.025, Q4_K
 * 0.089, Q4_0 0.11, Q3_K 0.15, Q2_K 0.40. `row` is twice what rounding to nearest can do, or twice what
 * Gaussian weights show, for quantizers that search their scales clip.
 */
const LIMITS: Readonly<Record<SchemeName, SchemeLimits>> = {
  // Holds every decoded weight; another order of summation, as after a permutation, leaves 1e-12.
  F32: { rms: 0, row: 0, floor: 0 },
  // One rounding to 8 significant bits; Gaussian weights show 0.0017.
  BF16: { rms: 2 ** -8, row: 2 ** -8, floor: 0 },
  // One rounding to 11 significant bits; below 2^-14 the error stays 2^-25. Gaussian weights show 0.00021.
  F16: { rms: 2 ** -11, row: 2 ** -11, floor: 2 ** -14 },
  // Half of 1/127, and 2^-11 of the scale.
  Q8_0: { rms: 0.02, row: 0.01, floor: 2 ** -9 },
  // Half of 1/32 on one side, all of it on the other; the scale of a group is 1/4064 of its largest weight.
  Q6_K: { rms: 0.05, row: 0.07, floor: 2 ** -8 },
  // All of 1/8 on the side whose largest weight did not choose the scale; likewise 1/16.
  Q4_0: { rms: 0.2, row: 0.25, floor: 2 ** -14 },
  Q5_0: { rms: 0.12, row: 0.13, floor: 2 ** -13 },
  // Half of 1/15 and of 1/31 of a range that is up to twice the largest weight.
  Q4_1: { rms: 0.22, row: 0.14, floor: 2 ** -13 },
  Q5_1: { rms: 0.11, row: 0.07, floor: 2 ** -13 },
  // Groups have codes of scales beside the half of a super-block, whose steps are added.
  Q2_K: { rms: 0.8, row: 0.9, floor: 2 ** -13 },
  Q3_K: { rms: 0.35, row: 0.5, floor: 2 ** -12 },
  Q4_K: { rms: 0.2, row: 0.2, floor: 2 ** -11 },
  Q5_K: { rms: 0.11, row: 0.11, floor: 2 ** -10 },
  IQ4_NL: { rms: 0.2, row: 0.24, floor: 2 ** -9 },
  IQ4_XS: { rms: 0.2, row: 0.24, floor: 2 ** -8 },
  // The largest weight is exact, half of it rounds to 0 or to all of it.
  TQ1_0: { rms: BELOW_ZEROS, row: 0.52, floor: 2 ** -14 },
  TQ2_0: { rms: BELOW_ZEROS, row: 0.52, floor: 2 ** -14 },
  // Steps of 1/3 of the largest weight at the top, 1/4 more where the power of two clips it.
  MXFP4: { rms: 0.3, row: 0.5, floor: 2 ** -14 },
  // As llama.cpp writes them, importances equal: errors of Gaussian and heavy-tailed weights, twice.
  IQ3_S: { rms: 0.5, row: 0.5, floor: 2 ** -12 },
  IQ3_XXS: { rms: 0.6, row: 0.8, floor: 2 ** -12 },
  IQ2_S: { rms: BELOW_ZEROS, row: 0.9, floor: 2 ** -12 },
  IQ2_XS: { rms: BELOW_ZEROS, row: 1, floor: 2 ** -12 },
  IQ2_XXS: { rms: BELOW_ZEROS, row: 1, floor: 2 ** -12 },
  IQ1_S: { rms: BELOW_ZEROS, row: 1.2, floor: 2 ** -12 },
  IQ1_M: { rms: BELOW_ZEROS, row: 1.2, floor: 2 ** -12 },
};

/** Codes of a group all lie on its grid, which reaches less than twice as far as its weights. */
const WEIGHED_ROW = 2;

/**
 * The largest error of a row that passes, relative to its largest weight: none where blocks are `exact`
 * copies. `weighed`: rounding was weighed by importances, so that the grid of a group may leave out what is
 * unimportant.
 */
export function rowLimit(scheme: SchemeName, exact: boolean, weighed = false): number {
  if (exact) return 0;
  return weighed ? WEIGHED_ROW : schemeLimits(scheme).row;
}

export function schemeLimits(scheme: SchemeName): SchemeLimits {
  return LIMITS[scheme];
}

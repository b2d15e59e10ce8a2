import { unsupported } from '../core/errors.ts';
import type { SchemeName } from '../core/scheme.ts';

/** What rounding to a scheme may cost. Above it the artifact is damaged, or wrongly made. */
export interface SchemeLimits {
  /** Mean KLD (nats a token) of an artifact whose coarsest scheme this is. */
  readonly meanKld: number;
  /** Root mean square error of a tensor, relative to that of its weights. */
  readonly rms: number;
  /** Largest error in a row, relative to the largest weight of the row: one damaged block shows here. */
  readonly row: number;
  /** Weights below this count as this: scales of f16 lose bits below 2^-14. */
  readonly floor: number;
}

/**
 * `meanKld` is about ten times what plm-tiny shows on eval.txt, 2048 tokens: Q8_0 4.5e-4, Q6_K 3.4e-3, Q4_0 8.1e-2;
 * BF16 and F16 by the square of their rounding. `rms` is about twice the error of heavy-tailed weights (cubes of
 * Gaussians): Q8_0 0.0087, Q6_K 0.025, Q4_0 0.11. `row` is twice what rounding to nearest can do, for quantizers
 * that search their scales clip.
 */
const LIMITS: Readonly<Partial<Record<SchemeName, SchemeLimits>>> = {
  // Holds every decoded weight; another order of summation, as after a permutation, leaves 1e-12.
  F32: { meanKld: 1e-9, rms: 0, row: 0, floor: 0 },
  // One rounding to 8 significant bits; Gaussian weights show 0.0017.
  BF16: { meanKld: 5e-4, rms: 2 ** -8, row: 2 ** -8, floor: 0 },
  // One rounding to 11 significant bits; below 2^-14 the error stays 2^-25. Gaussian weights show 0.00021.
  F16: { meanKld: 1e-5, rms: 2 ** -11, row: 2 ** -11, floor: 2 ** -14 },
  // Half of 1/127, and 2^-11 of the scale.
  Q8_0: { meanKld: 5e-3, rms: 0.02, row: 0.01, floor: 2 ** -9 },
  // Half of 1/32 on one side, all of it on the other; the scale of a group is 1/4064 of its largest weight.
  Q6_K: { meanKld: 3e-2, rms: 0.05, row: 0.07, floor: 2 ** -8 },
  // All of 1/8 on the side whose largest weight did not choose the scale; likewise 1/16.
  Q4_0: { meanKld: 0.8, rms: 0.2, row: 0.25, floor: 2 ** -14 },
  Q5_0: { meanKld: 0.8, rms: 0.12, row: 0.13, floor: 2 ** -13 },
  // Half of 1/15 and of 1/31 of a range that is up to twice the largest weight.
  Q4_1: { meanKld: 0.8, rms: 0.2, row: 0.14, floor: 2 ** -13 },
  Q5_1: { meanKld: 0.8, rms: 0.1, row: 0.07, floor: 2 ** -13 },
  Q2_K: { meanKld: 0.8, rms: 0.8, row: 0.9, floor: 2 ** -13 },
  Q3_K: { meanKld: 0.8, rms: 0.3, row: 0.5, floor: 2 ** -12 },
  Q4_K: { meanKld: 0.8, rms: 0.2, row: 0.15, floor: 2 ** -11 },
  Q5_K: { meanKld: 0.8, rms: 0.1, row: 0.08, floor: 2 ** -10 },
  IQ4_NL: { meanKld: 0.8, rms: 0.2, row: 0.2, floor: 2 ** -9 },
  IQ4_XS: { meanKld: 0.8, rms: 0.2, row: 0.2, floor: 2 ** -8 },
  TQ1_0: { meanKld: 0.8, rms: 1, row: 0.52, floor: 2 ** -14 },
  TQ2_0: { meanKld: 0.8, rms: 1, row: 0.52, floor: 2 ** -14 },
  MXFP4: { meanKld: 0.8, rms: 0.3, row: 0.5, floor: 2 ** -14 },
};

/** Throws `unsupported` for schemes without decoder, which have no limits. */
export function schemeLimits(scheme: SchemeName): SchemeLimits {
  const limits = LIMITS[scheme];
  if (limits === undefined) throw unsupported({ what: 'no limits for scheme', got: scheme });
  return limits;
}

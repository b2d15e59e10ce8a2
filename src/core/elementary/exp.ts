import { scaled } from './binary-exponent.ts';

/** ln 2 in two parts. The first has 33 bits, so that its product with an exponent is exact. */
export const LN2_HIGH = 0x162e42fef / 2 ** 33;
export const LN2_LOW = 7.440617110012397e-11;
/** Above, e^x exceeds the doubles; below, it is less than half of the smallest. */
const LARGEST = 709.782712893384;
const SMALLEST = -745.1332191019412;

/**
 * e^x within one ulp: x = k ln 2 + r with |r| <= ln 2 / 2, then the Taylor polynomial of degree 13, whose
 * remainder is less than 2^-57.
 */
export function exp(x: number): number {
  if (!(x >= SMALLEST)) return x < SMALLEST ? 0 : Number.NaN;
  if (x > LARGEST) return Infinity;
  const k = Math.floor(x * Math.LOG2E + 0.5);
  const high = x - k * LN2_HIGH;
  const low = k * LN2_LOW;
  const r = high - low;
  let p = 1 / 6227020800;
  p = p * r + 1 / 479001600;
  p = p * r + 1 / 39916800;
  p = p * r + 1 / 3628800;
  p = p * r + 1 / 362880;
  p = p * r + 1 / 40320;
  p = p * r + 1 / 5040;
  p = p * r + 1 / 720;
  p = p * r + 1 / 120;
  p = p * r + 1 / 24;
  p = p * r + 1 / 6;
  p = p * r + 1 / 2;
  // What r and the sum lost when they were rounded comes back beside the small terms.
  const sum = 1 + r;
  return scaled(sum + (1 - sum + r + (r * r * p + (high - r - low))), k);
}

import { exponentOf, scaled } from './binary-exponent.ts';
import { LN2_HIGH, LN2_LOW } from './exp.ts';

/** Below, numbers are denormal. */
const SMALLEST_NORMAL = 2 ** -1022;

/**
 * Natural logarithm within one ulp: x = 2^e (1 + f) with 1 + f between sqrt(1/2) and sqrt(2), and with s = f
 * / (2 + f) ln(1 + f) = 2 atanh(s) = f - s (f - R), R = 2 (s^2 / 3 + s^4 / 5 + ...), whose remainder is less
 * than 2^-58.
 */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : Number.NaN;
  if (x === Infinity) return x;
  const shift = x < SMALLEST_NORMAL ? 54 : 0;
  const normal = x * 2 ** shift;
  let e = exponentOf(normal);
  let m = scaled(normal, -e);
  if (m > Math.SQRT2) {
    m /= 2;
    e++;
  }
  const f = m - 1;
  const s = f / (2 + f);
  const z = s * s;
  let p = 2 / 21;
  p = p * z + 2 / 19;
  p = p * z + 2 / 17;
  p = p * z + 2 / 15;
  p = p * z + 2 / 13;
  p = p * z + 2 / 11;
  p = p * z + 2 / 9;
  p = p * z + 2 / 7;
  p = p * z + 2 / 5;
  p = p * z + 2 / 3;
  const k = e - shift;
  return k * LN2_HIGH + (f - (s * (f - p * z) - k * LN2_LOW));
}

import { product, sum } from './double-double.ts';

/** pi / 2 in two parts. */
const QUARTER = 1.5707963267948966;
const QUARTER_LOW = 6.123233995736766e-17;

/**
 * cos and sin of an angle of 0 to 2^30 radians, each within one ulp: the rest r of the angle beside a
 * multiple of pi / 2, |r| <= pi / 4, then Taylor polynomials of degree 18 and 19, whose remainders are less
 * than 2^-62.
 */
export function rotation(angle: number): { readonly cos: number; readonly sin: number } {
  const quarters = Math.floor(angle / QUARTER + 0.5);
  const turned = product(quarters, QUARTER);
  // The first difference is exact: both are multiples of an ulp, and near.
  const rest = sum(angle - turned.high, -turned.low - quarters * QUARTER_LOW);
  const { high: r, low } = rest;
  const z = r * r;
  let s = -1 / 121645100408832000;
  s = s * z + 1 / 355687428096000;
  s = s * z - 1 / 1307674368000;
  s = s * z + 1 / 6227020800;
  s = s * z - 1 / 39916800;
  s = s * z + 1 / 362880;
  s = s * z - 1 / 5040;
  s = s * z + 1 / 120;
  s = s * z - 1 / 6;
  let c = -1 / 6402373705728000;
  c = c * z + 1 / 20922789888000;
  c = c * z - 1 / 87178291200;
  c = c * z + 1 / 479001600;
  c = c * z - 1 / 3628800;
  c = c * z + 1 / 40320;
  c = c * z - 1 / 720;
  c = c * z + 1 / 24;
  const half = z / 2;
  const one = 1 - half;
  const sin = r + (z * r * s + low * (1 - half));
  // What 1 - z/2 lost when it was rounded comes back beside the small terms.
  const cos = one + (1 - one - half + (z * z * c - r * low));
  switch (quarters % 4) {
    case 0:
      return { cos, sin };
    case 1:
      return { cos: -sin, sin: cos };
    case 2:
      return { cos: -cos, sin: -sin };
    default:
      return { cos: sin, sin: -cos };
  }
}

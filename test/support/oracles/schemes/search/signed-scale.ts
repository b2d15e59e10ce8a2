import { SIGNED_TENTHS } from '../../../../../src/core/scheme-constants/search.ts';
import { extremeOf } from '../magnitude.ts';
import { nearestInt } from '../nearest-int.ts';
import { NEGLIGIBLE } from './negligible.ts';

const { fround } = Math;
const TENTH = fround(0.1);

/**
 * Finds the scale of a group with codes -limit .. limit - 1 among 19 tries around limit / extreme, by the
 * squared error weighted with `weights`, or with x^2 where there are none. Leaves the codes plus `limit` in
 * `codes` from `first` on. `make_qx_quants` of ggml-quants.c with rmse_type 1.
 */
export function fitSigned(
  x: Float32Array,
  first: number,
  count: number,
  limit: number,
  weights: Float32Array | undefined,
  codes: Uint8Array,
): number {
  const extreme = extremeOf(x, first, count);
  if (Math.abs(extreme) < NEGLIGIBLE) {
    codes.fill(0, first, first + count);
    return 0;
  }
  let bestInverse = fround(-limit / extreme);
  project(x, first, count, limit, weights, bestInverse);
  let scale = sumLL === 0 ? 0 : fround(sumXL / sumLL);
  let best = fround(scale * sumXL);
  for (let step = -SIGNED_TENTHS; step <= SIGNED_TENTHS; step++) {
    if (step === 0) continue;
    const inverse = fround(-fround(limit + fround(TENTH * step)) / extreme);
    project(x, first, count, limit, weights, inverse);
    if (sumLL > 0 && fround(sumXL * sumXL) > fround(best * sumLL)) {
      scale = fround(sumXL / sumLL);
      best = fround(scale * sumXL);
      bestInverse = inverse;
    }
  }
  for (let i = first; i < first + count; i++) {
    codes[i] = clampSigned(nearestInt(fround(bestInverse * x[i]!)), limit) + limit;
  }
  return scale;
}

/** Sums of w x l and w l^2 that `project` found last. */
let sumXL = 0;
let sumLL = 0;

function project(
  x: Float32Array,
  first: number,
  count: number,
  limit: number,
  weights: Float32Array | undefined,
  inverse: number,
): void {
  sumXL = 0;
  sumLL = 0;
  for (let i = 0; i < count; i++) {
    const value = x[first + i]!;
    const code = clampSigned(nearestInt(fround(inverse * value)), limit);
    const weight = weights === undefined ? fround(value * value) : weights[i]!;
    sumXL = fround(sumXL + fround(fround(weight * value) * code));
    sumLL = fround(sumLL + fround(fround(weight * code) * code));
  }
}

export function clampSigned(code: number, limit: number): number {
  return Math.max(-limit, Math.min(limit - 1, code));
}

import { MAX_PASSES } from '../../../../../src/core/scheme-constants/search.ts';
import { extremeOf } from '../magnitude.ts';
import { nearestInt } from '../nearest-int.ts';
import { NEGLIGIBLE } from './negligible.ts';
import { clampSigned } from './signed-scale.ts';

const { fround } = Math;

/**
 * Finds the scale of a group with codes -limit .. limit - 1 by coordinate descent: up to five passes change
 * one code at a time where x projects better on the codes, errors weighted with x^2. Leaves the codes plus
 * `limit` in `codes` from `first` on. `make_q3_quants` of ggml-quants.c.
 */
export function fitByCoordinates(
  x: Float32Array,
  first: number,
  count: number,
  limit: number,
  codes: Uint8Array,
): number {
  const extreme = extremeOf(x, first, count);
  if (Math.abs(extreme) < NEGLIGIBLE) {
    codes.fill(0, first, first + count);
    return 0;
  }
  const inverse = fround(-limit / extreme);
  let sumXL = 0;
  let sumLL = 0;
  for (let i = first; i < first + count; i++) {
    const value = x[i]!;
    const code = clampSigned(nearestInt(fround(inverse * value)), limit);
    const weight = fround(value * value);
    codes[i] = code + limit;
    sumXL = fround(sumXL + fround(fround(weight * value) * code));
    sumLL = fround(sumLL + fround(fround(weight * code) * code));
  }
  for (let pass = 0, changed = true; pass < MAX_PASSES && changed; pass++) {
    changed = false;
    for (let i = first; i < first + count; i++) {
      const value = x[i]!;
      const old = codes[i]! - limit;
      const weight = fround(value * value);
      const weighted = fround(weight * value);
      let withoutXL = fround(sumXL - fround(weighted * old));
      if (!(withoutXL > 0)) continue;
      let withoutLL = fround(sumLL - fround(fround(weight * old) * old));
      const code = clampSigned(nearestInt(fround(fround(value * withoutLL) / withoutXL)), limit);
      if (code === old) continue;
      withoutXL = fround(withoutXL + fround(weighted * code));
      withoutLL = fround(withoutLL + fround(fround(weight * code) * code));
      const isBetter =
        withoutLL > 0 &&
        fround(fround(withoutXL * withoutXL) * sumLL) > fround(fround(sumXL * sumXL) * withoutLL);
      if (!isBetter) continue;
      codes[i] = code + limit;
      sumXL = withoutXL;
      sumLL = withoutLL;
      changed = true;
    }
  }
  return sumLL > 0 ? fround(sumXL / sumLL) : 0;
}

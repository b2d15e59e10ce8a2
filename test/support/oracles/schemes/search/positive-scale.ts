import { MAX_PASSES, POSITIVE_TENTHS } from '../../../../../src/core/scheme-constants/search.ts';
import { nearestInt } from '../nearest-int.ts';
import { NEGLIGIBLE } from './negligible.ts';

const { fround } = Math;
const TENTH = fround(0.1);

/**
 * Finds the scale of positive values with codes 0 .. largest: nine tries, then up to five passes that change
 * one code at a time where this projects better. `codes` holds bytes, as in ggml, whose code of a negative
 * value is therefore a large one. `make_qp_quants` of ggml-quants.c.
 */
export function fitPositive(
  x: Float32Array,
  weights: Float32Array,
  largest: number,
  codes: Uint8Array,
): number {
  let max = 0;
  for (const value of x) {
    if (!(max > value)) max = value;
  }
  if (max < NEGLIGIBLE) {
    codes.fill(0, 0, x.length);
    return 0;
  }
  let inverse = fround(largest / max);
  for (let i = 0; i < x.length; i++) codes[i] = nearestInt(fround(inverse * x[i]!));
  let best = 0;
  const plain = fround(1 / inverse);
  for (let i = 0; i < x.length; i++) {
    const difference = fround(x[i]! - fround(plain * codes[i]!));
    best = fround(best + fround(fround(weights[i]! * difference) * difference));
  }
  for (let step = -POSITIVE_TENTHS; step <= POSITIVE_TENTHS; step++) {
    if (step === 0) continue;
    const tried = fround(fround(fround(TENTH * step) + largest) / max);
    const error = errorOf(x, weights, largest, tried);
    if (error < best) {
      best = error;
      inverse = tried;
    }
  }
  return descend(x, weights, largest, codes, inverse);
}

function errorOf(x: Float32Array, weights: Float32Array, largest: number, inverse: number): number {
  const scale = fround(1 / inverse);
  let error = 0;
  for (let i = 0; i < x.length; i++) {
    const code = Math.min(largest, nearestInt(fround(inverse * x[i]!)));
    const difference = fround(x[i]! - fround(scale * code));
    error = fround(error + fround(fround(weights[i]! * difference) * difference));
  }
  return error;
}

/** Coordinate descent on the codes; returns the scale that they project to. */
function descend(
  x: Float32Array,
  weights: Float32Array,
  largest: number,
  codes: Uint8Array,
  inverse: number,
): number {
  let sumXL = 0;
  let sumLL = 0;
  for (let i = 0; i < x.length; i++) {
    const code = Math.min(largest, nearestInt(fround(inverse * x[i]!)));
    codes[i] = code;
    sumXL = fround(sumXL + fround(fround(weights[i]! * x[i]!) * code));
    sumLL = fround(sumLL + fround(fround(weights[i]! * code) * code));
  }
  for (let pass = 0, changed = true; pass < MAX_PASSES && changed; pass++) {
    changed = false;
    for (let i = 0; i < x.length; i++) {
      const [w, value, old] = [weights[i]!, x[i]!, codes[i]!] as const;
      const wx = fround(w * value);
      let withoutXL = fround(sumXL - fround(wx * old));
      let withoutLL = fround(sumLL - fround(fround(w * old) * old));
      if (!(withoutXL > 0 && withoutLL > 0)) continue;
      const code = Math.min(largest, nearestInt(fround(fround(value * withoutLL) / withoutXL)));
      if (code === old) continue;
      withoutXL = fround(withoutXL + fround(wx * code));
      withoutLL = fround(withoutLL + fround(fround(w * code) * code));
      const isBetter =
        fround(fround(withoutXL * withoutXL) * sumLL) > fround(fround(sumXL * sumXL) * withoutLL);
      if (!isBetter) continue;
      codes[i] = code;
      sumXL = withoutXL;
      sumLL = withoutLL;
      changed = true;
    }
  }
  return sumLL > 0 ? fround(sumXL / sumLL) : 0;
}

import {
  WEIGHTED_FROM,
  WEIGHTED_STEP,
  WEIGHTED_STEPS,
} from '../../../../../src/core/scheme-constants/search.ts';
import { nearestInt } from '../nearest-int.ts';

const { fround } = Math;

/**
 * How scales with an offset are searched: code ranges from `from` to `from + step * steps` wider than the
 * largest code.
 */
export interface OffsetSearch {
  readonly from: number;
  readonly step: number;
  readonly steps: number;
  /** Minimize absolute errors instead of squared ones. */
  readonly absolute?: boolean;
}

/** Search with importances, in all schemes. */
export const WEIGHTED_SEARCH: OffsetSearch = {
  from: fround(WEIGHTED_FROM),
  step: fround(WEIGHTED_STEP),
  steps: WEIGHTED_STEPS,
};

export interface OffsetFit {
  scale: number;
  /** What is subtracted: a weight is scale * code - min, min >= 0. */
  min: number;
}

/**
 * Fits weights of a group as scale * code - min with codes 0 .. largest: for each try the codes give the best
 * scale and min by least squares, and the try of least weighted error wins. A try starts from the best min so
 * far, so their order matters. Leaves the codes in `codes` from `first` on. `make_qkx2_quants` and
 * `make_qkx3_quants` of ggml-quants.c.
 */
export function fitOffset(
  x: Float32Array,
  first: number,
  weights: Float32Array,
  largest: number,
  search: OffsetSearch,
  codes: Uint8Array,
  fit: OffsetFit,
): void {
  const count = weights.length;
  let min = x[first]!;
  let max = min;
  let sumW = weights[0]!;
  let sumX = fround(sumW * min);
  for (let i = 1; i < count; i++) {
    const value = x[first + i]!;
    if (value < min) min = value;
    if (value > max) max = value;
    sumW = fround(sumW + weights[i]!);
    sumX = fround(sumX + fround(weights[i]! * value));
  }
  if (min > 0) min = 0;
  if (max === min) {
    codes.fill(0, first, first + count);
    fit.scale = 0;
    fit.min = -min;
    return;
  }
  const inverse = fround(largest / fround(max - min));
  let scale = fround(1 / inverse);
  const tried = TRIED;
  for (let i = 0; i < count; i++)
    codes[first + i] = code(fround(inverse * fround(x[first + i]! - min)), largest);
  let best = errorOf(x, first, weights, codes, first, scale, min, search.absolute === true);
  for (let step = 0; step <= search.steps; step++) {
    const range = fround(fround(search.from + fround(fround(search.step) * step)) + largest);
    const inverse = fround(range / fround(max - min));
    let sumL = 0;
    let sumLL = 0;
    let sumXL = 0;
    for (let i = 0; i < count; i++) {
      const value = x[first + i]!;
      const l = code(fround(inverse * fround(value - min)), largest);
      tried[i] = l;
      const wl = fround(weights[i]! * l);
      sumL = fround(sumL + wl);
      sumLL = fround(sumLL + fround(wl * l));
      sumXL = fround(sumXL + fround(wl * value));
    }
    const determinant = fround(fround(sumW * sumLL) - fround(sumL * sumL));
    if (!(determinant > 0)) continue;
    let thisScale = fround(fround(fround(sumW * sumXL) - fround(sumX * sumL)) / determinant);
    let thisMin = fround(fround(fround(sumLL * sumX) - fround(sumL * sumXL)) / determinant);
    if (thisMin > 0) {
      thisMin = 0;
      thisScale = fround(sumXL / sumLL);
    }
    const error = errorOf(x, first, weights, tried, 0, thisScale, thisMin, search.absolute === true);
    if (error < best) {
      for (let i = 0; i < count; i++) codes[first + i] = tried[i]!;
      best = error;
      scale = thisScale;
      min = thisMin;
    }
  }
  fit.scale = scale;
  fit.min = -min;
}

/** Codes of one try; groups have at most 32 weights. */
const TRIED = new Uint8Array(32);

function code(scaled: number, largest: number): number {
  return Math.max(0, Math.min(largest, nearestInt(scaled)));
}

function errorOf(
  x: Float32Array,
  first: number,
  weights: Float32Array,
  codes: Uint8Array,
  firstCode: number,
  scale: number,
  min: number,
  absolute: boolean,
): number {
  let error = 0;
  for (let i = 0; i < weights.length; i++) {
    const difference = fround(fround(fround(scale * codes[firstCode + i]!) + min) - x[first + i]!);
    const cost = absolute ? Math.abs(difference) : fround(difference * difference);
    error = fround(error + fround(weights[i]! * cost));
  }
  return error;
}

import { nearestInts, ROUNDER } from './nearest-int';

/**
 * What the search of four groups works on, one group a lane: vector i of X, W and TRIED holds weight i of
 * each group. The search fills the rest: scale and min of each lane, and by which inverse scale and base its
 * codes come.
 */
export const X: usize = 0;
export const W: usize = 512;
const TRIED: usize = 1024;
export const FITTED_SCALE: usize = 1536;
export const FITTED_MIN: usize = 1552;
export const CODE_INVERSE: usize = 1568;
export const CODE_BASE: usize = 1584;
export const OFFSET_SEARCH_BYTES: usize = 1600;

/** Room for rounding below 2^22, up to which rounding by a float addition is exact. */
const SAFE: f32 = 2097152;

/**
 * Fits four groups as scale * code - min with codes 0 .. `largest`. Values and weights lie in `work`. A try
 * of a lane starts from its best min so far, so that tries follow each other and lanes hold groups.
 * `make_qkx2_quants` and `make_qkx3_quants` of ggml-quants.c.
 */
export function fitOffset(
  work: usize,
  count: i32,
  largest: f32,
  from: f32,
  delta: f32,
  steps: i32,
  absolute: bool,
): void {
  const end = (<usize>count) << 4;
  const zero = f32x4.splat(0);
  let lowest = v128.load(work, X);
  let max = lowest;
  let sumW = v128.load(work, W);
  let sumX = f32x4.mul(sumW, lowest);
  for (let i: usize = 16; i < end; i += 16) {
    const value = v128.load(work + i, X);
    const weight = v128.load(work + i, W);
    lowest = f32x4.pmin(lowest, value);
    max = f32x4.pmax(max, value);
    sumW = f32x4.add(sumW, weight);
    sumX = f32x4.add(sumX, f32x4.mul(weight, value));
  }
  let min = v128.bitselect(zero, lowest, f32x4.gt(lowest, zero));
  lowest = min;
  const flat = f32x4.eq(max, min);
  let inverse = f32x4.div(f32x4.splat(largest), f32x4.sub(max, min));
  let scale = f32x4.div(f32x4.splat(1), inverse);
  tryCodes(work, end, inverse, min, max, lowest, largest);
  let best = errorOf(work, end, scale, min, absolute);
  let codeInverse = inverse;
  let codeBase = min;
  for (let step = 0; step <= steps; step++) {
    const codes = f32x4.splat(from + delta * <f32>step + largest);
    inverse = f32x4.div(codes, f32x4.sub(max, min));
    tryCodes(work, end, inverse, min, max, lowest, largest);
    let sumL = zero;
    let sumLL = zero;
    let sumXL = zero;
    for (let i: usize = 0; i < end; i += 16) {
      const code = v128.load(work + i, TRIED);
      const weighted = f32x4.mul(v128.load(work + i, W), code);
      sumL = f32x4.add(sumL, weighted);
      sumLL = f32x4.add(sumLL, f32x4.mul(weighted, code));
      sumXL = f32x4.add(sumXL, f32x4.mul(weighted, v128.load(work + i, X)));
    }
    const determinant = f32x4.sub(f32x4.mul(sumW, sumLL), f32x4.mul(sumL, sumL));
    const solvable = f32x4.gt(determinant, zero);
    if (!v128.any_true(solvable)) continue;
    let thisScale = f32x4.div(f32x4.sub(f32x4.mul(sumW, sumXL), f32x4.mul(sumX, sumL)), determinant);
    let thisMin = f32x4.div(f32x4.sub(f32x4.mul(sumLL, sumX), f32x4.mul(sumL, sumXL)), determinant);
    const positive = f32x4.gt(thisMin, zero);
    if (v128.any_true(positive)) {
      thisMin = v128.bitselect(zero, thisMin, positive);
      thisScale = v128.bitselect(f32x4.div(sumXL, sumLL), thisScale, positive);
    }
    const error = errorOf(work, end, thisScale, thisMin, absolute);
    const better = v128.and(solvable, f32x4.lt(error, best));
    codeInverse = v128.bitselect(inverse, codeInverse, better);
    codeBase = v128.bitselect(min, codeBase, better);
    best = v128.bitselect(error, best, better);
    scale = v128.bitselect(thisScale, scale, better);
    min = v128.bitselect(thisMin, min, better);
  }
  // Groups of one value have no range: scale 0, codes 0.
  v128.store(work, v128.andnot(scale, flat), FITTED_SCALE);
  v128.store(work, f32x4.neg(v128.bitselect(lowest, min, flat)), FITTED_MIN);
  v128.store(work, v128.andnot(codeInverse, flat), CODE_INVERSE);
  v128.store(work, v128.andnot(codeBase, flat), CODE_BASE);
}

/** Codes, as floats, of all values under an inverse scale and a min. */
function tryCodes(
  work: usize,
  end: usize,
  inverse: v128,
  min: v128,
  max: v128,
  lowest: v128,
  largest: f32,
): void {
  // Codes grow with values: if those of the extremes are small, all are, and rounding needs no bits.
  const top = f32x4.abs(f32x4.mul(inverse, f32x4.sub(max, min)));
  const bottom = f32x4.abs(f32x4.mul(inverse, f32x4.sub(lowest, min)));
  const safe = f32x4.splat(SAFE);
  const limit = f32x4.splat(largest);
  const zero = f32x4.splat(0);
  if (i32x4.all_true(v128.and(f32x4.lt(top, safe), f32x4.lt(bottom, safe)))) {
    const rounder = f32x4.splat(ROUNDER);
    for (let i: usize = 0; i < end; i += 16) {
      const scaled = f32x4.mul(inverse, f32x4.sub(v128.load(work + i, X), min));
      const rounded = f32x4.sub(f32x4.add(scaled, rounder), rounder);
      // In this order NaN, the code of a NaN among numbers, becomes 0, as its bits do.
      v128.store(work + i, f32x4.pmax(zero, f32x4.pmin(rounded, limit)), TRIED);
    }
    return;
  }
  for (let i: usize = 0; i < end; i += 16) {
    const scaled = f32x4.mul(inverse, f32x4.sub(v128.load(work + i, X), min));
    const code = f32x4.convert_i32x4_s(nearestInts(scaled));
    v128.store(work + i, f32x4.pmax(zero, f32x4.pmin(code, limit)), TRIED);
  }
}

function errorOf(work: usize, end: usize, scale: v128, min: v128, absolute: bool): v128 {
  let error = f32x4.splat(0);
  if (absolute) {
    for (let i: usize = 0; i < end; i += 16) {
      const fitted = f32x4.add(f32x4.mul(scale, v128.load(work + i, TRIED)), min);
      const difference = f32x4.abs(f32x4.sub(fitted, v128.load(work + i, X)));
      error = f32x4.add(error, f32x4.mul(v128.load(work + i, W), difference));
    }
    return error;
  }
  for (let i: usize = 0; i < end; i += 16) {
    const fitted = f32x4.add(f32x4.mul(scale, v128.load(work + i, TRIED)), min);
    const difference = f32x4.sub(fitted, v128.load(work + i, X));
    error = f32x4.add(error, f32x4.mul(v128.load(work + i, W), f32x4.mul(difference, difference)));
  }
  return error;
}

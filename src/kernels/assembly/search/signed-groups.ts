import { NEGLIGIBLE, SIGNED_TENTHS } from '../../../core/scheme-constants/search';
import { packBytes } from '../schemes/codes';
import { fitByCoordinates } from './coordinate-scale';
import { sumOfLanes, toLanes } from './lanes';
import { nearestInts, ROUNDER } from './nearest-int';

/**
 * Super-blocks of 256 weights in groups of 16 that have a scale and signed codes each. In scratch: four
 * groups in lanes with the weights of their errors, then by group what the searches found.
 */
const X: usize = 0;
const W: usize = 256;
const WX: usize = 512;
const LANE_CODES: usize = 768;
export const SCALES: usize = 1024;
export const WEIGHT_SUMS: usize = 1088;
/**
 * Codes of the search are nearest(inverse * x) + base: base is the limit of codes, or 0 for groups of zeros.
 */
const INVERSES: usize = 1152;
const BASES: usize = 1216;
/** The scale as it is stored, by which weights are divided; 0 where it vanished. The caller's to fill. */
export const STEPS: usize = 1280;
/** One byte a weight, offset by the limit. */
export const CODES: usize = 1344;
/** Room for the caller: weights of errors of the whole super-block. */
export const ERROR_WEIGHTS: usize = 1600;

/**
 * Fits all 16 groups among 19 tries each. Errors weigh by x^2, or by the 256 floats at `weights` if not 0.
 */
export function fitSignedGroups(x: usize, weights: usize, limit: f32, scratch: usize): void {
  for (let quad: usize = 0; quad < 4; quad++) {
    toLanes(x + (quad << 8), 16, scratch + X);
    if (weights !== 0) toLanes(weights + (quad << 8), 16, scratch + W);
    else squareLanes(scratch);
    const to = scratch + (quad << 4);
    v128.store(to, sumOfLanes(scratch + W, 16), WEIGHT_SUMS);
    fitLanes(scratch, limit, to);
  }
}

/** Fits all 16 groups by coordinate descent. */
export function fitGroupsByCoordinates(x: usize, limit: f32, scratch: usize): void {
  for (let quad: usize = 0; quad < 4; quad++) {
    toLanes(x + (quad << 8), 16, scratch + X);
    const scales = fitByCoordinates(scratch + X, limit, scratch + LANE_CODES);
    v128.store(scratch + (quad << 4), scales, SCALES);
    for (let lane: usize = 0; lane < 4; lane++) {
      const codes = scratch + CODES + (quad << 6) + (lane << 4);
      for (let i: usize = 0; i < 16; i++) {
        store<u8>(codes + i, <u8>load<f32>(scratch + (i << 4) + (lane << 2), LANE_CODES));
      }
    }
  }
}

/** Codes of all weights by STEPS. Groups whose step vanished get those of `fitSignedGroups`. */
export function encodeSignedGroups(x: usize, limit: f32, scratch: usize): void {
  for (let group: usize = 0; group < 16; group++) {
    if (storeQuotients(x, limit, scratch, group)) continue;
    const inverse = f32x4.splat(load<f32>(scratch + (group << 2), INVERSES));
    const base = i32x4.splat(<i32>load<f32>(scratch + (group << 2), BASES));
    storeProducts(x + (group << 6), inverse, base, limit, scratch + CODES + (group << 4));
  }
}

/** Codes of all weights by STEPS. Groups whose step vanished keep the codes of `fitGroupsByCoordinates`. */
export function refineSignedGroups(x: usize, limit: f32, scratch: usize): void {
  for (let group: usize = 0; group < 16; group++) storeQuotients(x, limit, scratch, group);
}

function squareLanes(scratch: usize): void {
  for (let i: usize = 0; i < 256; i += 16) {
    const value = v128.load(scratch + i, X);
    v128.store(scratch + i, f32x4.mul(value, value), W);
  }
}

/** Searches the scales of four groups; stores scale, inverse and base of each at `to`. */
function fitLanes(scratch: usize, limit: f32, to: usize): void {
  const zero = f32x4.splat(0);
  let magnitude = zero;
  let extreme = zero;
  let check = zero;
  for (let i: usize = 0; i < 256; i += 16) {
    const value = v128.load(scratch + i, X);
    const size = f32x4.abs(value);
    const larger = f32x4.gt(size, magnitude);
    magnitude = v128.bitselect(size, magnitude, larger);
    extreme = v128.bitselect(value, extreme, larger);
    check = f32x4.add(check, f32x4.mul(value, zero));
    v128.store(scratch + i, f32x4.mul(v128.load(scratch + i, W), value), WX);
  }
  const negligible = f32x4.lt(magnitude, f32x4.splat(<f32>NEGLIGIBLE));
  // Codes of finite groups are small, so that rounding needs no bits.
  const finite = i32x4.all_true(f32x4.eq(check, zero));
  let bestInverse = f32x4.div(f32x4.splat(-limit), extreme);
  let sumXL: v128;
  let sumLL: v128;
  project(scratch, bestInverse, limit, finite);
  sumXL = v128.load(scratch, LANE_CODES);
  sumLL = v128.load(scratch, LANE_CODES + 16);
  let scale = v128.andnot(f32x4.div(sumXL, sumLL), f32x4.eq(sumLL, zero));
  let best = f32x4.mul(scale, sumXL);
  for (let step = -SIGNED_TENTHS; step <= SIGNED_TENTHS; step++) {
    if (step === 0) continue;
    const inverse = f32x4.div(f32x4.splat(-(limit + <f32>0.1 * <f32>step)), extreme);
    project(scratch, inverse, limit, finite);
    sumXL = v128.load(scratch, LANE_CODES);
    sumLL = v128.load(scratch, LANE_CODES + 16);
    const ours = f32x4.mul(sumXL, sumXL);
    const better = v128.and(f32x4.gt(sumLL, zero), f32x4.gt(ours, f32x4.mul(best, sumLL)));
    if (!v128.any_true(better)) continue;
    const thisScale = f32x4.div(sumXL, sumLL);
    scale = v128.bitselect(thisScale, scale, better);
    best = v128.bitselect(f32x4.mul(thisScale, sumXL), best, better);
    bestInverse = v128.bitselect(inverse, bestInverse, better);
  }
  v128.store(to, v128.andnot(scale, negligible), SCALES);
  v128.store(to, v128.andnot(bestInverse, negligible), INVERSES);
  v128.store(to, v128.andnot(f32x4.splat(limit), negligible), BASES);
}

/** Sums of w x l and w l^2 under an inverse scale, stored at LANE_CODES. */
function project(scratch: usize, inverse: v128, limit: f32, finite: bool): void {
  const low = f32x4.splat(-limit);
  const high = f32x4.splat(limit - 1);
  let sumXL = f32x4.splat(0);
  let sumLL = f32x4.splat(0);
  if (finite) {
    const rounder = f32x4.splat(ROUNDER);
    for (let i: usize = 0; i < 256; i += 16) {
      const scaled = f32x4.mul(inverse, v128.load(scratch + i, X));
      const rounded = f32x4.sub(f32x4.add(scaled, rounder), rounder);
      const code = f32x4.pmax(low, f32x4.pmin(rounded, high));
      sumXL = f32x4.add(sumXL, f32x4.mul(v128.load(scratch + i, WX), code));
      sumLL = f32x4.add(sumLL, f32x4.mul(f32x4.mul(v128.load(scratch + i, W), code), code));
    }
  } else {
    for (let i: usize = 0; i < 256; i += 16) {
      const rounded = f32x4.convert_i32x4_s(nearestInts(f32x4.mul(inverse, v128.load(scratch + i, X))));
      const code = f32x4.pmax(low, f32x4.pmin(rounded, high));
      sumXL = f32x4.add(sumXL, f32x4.mul(v128.load(scratch + i, WX), code));
      sumLL = f32x4.add(sumLL, f32x4.mul(f32x4.mul(v128.load(scratch + i, W), code), code));
    }
  }
  v128.store(scratch, sumXL, LANE_CODES);
  v128.store(scratch, sumLL, LANE_CODES + 16);
}

/** Stores the codes of a group by its step; false where that is 0. */
function storeQuotients(x: usize, limit: f32, scratch: usize, group: usize): bool {
  const divisor = load<f32>(scratch + (group << 2), STEPS);
  if (divisor === 0) return false;
  const values = x + (group << 6);
  const step = f32x4.splat(divisor);
  const a = f32x4.div(v128.load(values), step);
  const b = f32x4.div(v128.load(values, 16), step);
  const c = f32x4.div(v128.load(values, 32), step);
  const d = f32x4.div(v128.load(values, 48), step);
  storeCodes(a, b, c, d, i32x4.splat(<i32>limit), limit, scratch + CODES + (group << 4));
  return true;
}

function storeProducts(x: usize, inverse: v128, base: v128, limit: f32, codes: usize): void {
  const a = f32x4.mul(inverse, v128.load(x));
  const b = f32x4.mul(inverse, v128.load(x, 16));
  const c = f32x4.mul(inverse, v128.load(x, 32));
  const d = f32x4.mul(inverse, v128.load(x, 48));
  storeCodes(a, b, c, d, base, limit, codes);
}

function storeCodes(a: v128, b: v128, c: v128, d: v128, base: v128, limit: f32, codes: usize): void {
  const low = i32x4.splat(<i32>-limit);
  const high = i32x4.splat(<i32>limit - 1);
  const bytes = packBytes(
    code(a, low, high, base),
    code(b, low, high, base),
    code(c, low, high, base),
    code(d, low, high, base),
  );
  v128.store(codes, bytes);
}

function code(scaled: v128, low: v128, high: v128, base: v128): v128 {
  return i32x4.add(i32x4.max_s(low, i32x4.min_s(high, nearestInts(scaled))), base);
}

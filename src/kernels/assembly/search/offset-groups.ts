import { WEIGHTED_FROM, WEIGHTED_STEP, WEIGHTED_STEPS } from '../../../core/scheme-constants/search';
import { packBytes } from '../schemes/codes';
import { sumOfSquares, weighErrors } from './error-weights';
import { sumOfLanes, toLanes } from './lanes';
import { nearestInts } from './nearest-int';
import {
  CODE_BASE,
  CODE_INVERSE,
  FITTED_MIN,
  FITTED_SCALE,
  fitOffset,
  OFFSET_SEARCH_BYTES,
  W,
  X,
} from './offset-scale';

/**
 * Super-blocks of 256 weights in groups that have a scale and a min each. In scratch: the search of four
 * groups, weights of errors, then by group what the search found, and what a scheme stores of it.
 */
const ERROR_WEIGHTS: usize = OFFSET_SEARCH_BYTES;
export const SCALES: usize = ERROR_WEIGHTS + 1024;
export const MINS: usize = SCALES + 64;
export const WEIGHT_SUMS: usize = MINS + 64;
const INVERSES: usize = WEIGHT_SUMS + 64;
const BASES: usize = INVERSES + 64;
export const SCALE_CODES: usize = BASES + 64;
export const MIN_CODES: usize = SCALE_CODES + 16;
/** One byte a weight. */
export const CODES: usize = MIN_CODES + 16;

/** Root mean square plus |x|, in the lanes of a search. */
export function weighByMagnitude(search: usize, count: i32): void {
  const end = (<usize>count) << 4;
  let sum = f32x4.splat(0);
  for (let i: usize = 0; i < end; i += 16) {
    const value = v128.load(search + i, X);
    sum = f32x4.add(sum, f32x4.mul(value, value));
  }
  const mean = f32x4.sqrt(f32x4.div(sum, f32x4.splat(<f32>count)));
  for (let i: usize = 0; i < end; i += 16) {
    v128.store(search + i, f32x4.add(mean, f32x4.abs(v128.load(search + i, X))), W);
  }
}

/** |x|, in the lanes of a search. */
export function weighByAbsolute(search: usize, count: i32): void {
  const end = (<usize>count) << 4;
  for (let i: usize = 0; i < end; i += 16) v128.store(search + i, f32x4.abs(v128.load(search + i, X)), W);
}

/** Fits all groups by importances, and leaves the sum of weights of each. */
export function fitByImportance(
  x: usize,
  importance: usize,
  scratch: usize,
  groupSize: i32,
  largest: f32,
  varianceShare: f32,
): void {
  const variance: f32 = (varianceShare * sumOfSquares(x, 256)) / 256;
  weighErrors(x, importance, variance, scratch + ERROR_WEIGHTS, 256);
  const quads = 64 / groupSize;
  for (let quad = 0; quad < quads; quad++) {
    const first = (<usize>(quad * groupSize)) << 4;
    toLanes(x + first, groupSize, scratch + X);
    toLanes(scratch + ERROR_WEIGHTS + first, groupSize, scratch + W);
    v128.store(scratch + ((<usize>quad) << 4), sumOfLanes(scratch + W, groupSize), WEIGHT_SUMS);
    fitOffset(scratch, groupSize, largest, <f32>WEIGHTED_FROM, <f32>WEIGHTED_STEP, WEIGHTED_STEPS, false);
    keepFit(scratch, quad);
  }
}

/** Copies what the search of four groups found to where all groups have theirs. */
export function keepFit(scratch: usize, quad: i32): void {
  const to = scratch + ((<usize>quad) << 4);
  v128.store(to, v128.load(scratch, FITTED_SCALE), SCALES);
  v128.store(to, v128.load(scratch, FITTED_MIN), MINS);
  v128.store(to, v128.load(scratch, CODE_INVERSE), INVERSES);
  v128.store(to, v128.load(scratch, CODE_BASE), BASES);
}

/** The largest of `count` values, at least 0. */
export function largestOf(values: usize, count: i32): f32 {
  let largest: f32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    const value = load<f32>(values + (i << 2));
    if (value > largest) largest = value;
  }
  return largest;
}

/**
 * Codes of all weights under the stored scales. Groups whose scale vanished keep the codes of their own fit.
 */
export function encodeGroups(
  x: usize,
  scratch: usize,
  groupSize: i32,
  largest: i32,
  d: f32,
  dmin: f32,
): void {
  const groups = 256 / groupSize;
  for (let group = 0; group < groups; group++) {
    const at = <usize>group;
    const step: f32 = d * <f32>load<u8>(scratch + at, SCALE_CODES);
    const values = x + at * ((<usize>groupSize) << 2);
    const codes = scratch + CODES + at * <usize>groupSize;
    if (step !== 0) {
      const min: f32 = dmin * <f32>load<u8>(scratch + at, MIN_CODES);
      for (let i: usize = 0; i < <usize>groupSize; i += 16) {
        storeQuotients(values + (i << 2), f32x4.splat(min), f32x4.splat(step), largest, codes + i);
      }
    } else {
      const inverse = f32x4.splat(load<f32>(scratch + (at << 2), INVERSES));
      const base = f32x4.splat(load<f32>(scratch + (at << 2), BASES));
      for (let i: usize = 0; i < <usize>groupSize; i += 16) {
        storeProducts(values + (i << 2), base, inverse, largest, codes + i);
      }
    }
  }
}

function storeQuotients(x: usize, min: v128, step: v128, largest: i32, codes: usize): void {
  const a = f32x4.div(f32x4.add(v128.load(x), min), step);
  const b = f32x4.div(f32x4.add(v128.load(x, 16), min), step);
  const c = f32x4.div(f32x4.add(v128.load(x, 32), min), step);
  const d = f32x4.div(f32x4.add(v128.load(x, 48), min), step);
  storeCodes(a, b, c, d, largest, codes);
}

/** Codes of 16 weights, inverse * (x - base) rounded to 0 .. largest, as bytes. */
export function storeProducts(x: usize, base: v128, inverse: v128, largest: i32, codes: usize): void {
  const a = f32x4.mul(inverse, f32x4.sub(v128.load(x), base));
  const b = f32x4.mul(inverse, f32x4.sub(v128.load(x, 16), base));
  const c = f32x4.mul(inverse, f32x4.sub(v128.load(x, 32), base));
  const d = f32x4.mul(inverse, f32x4.sub(v128.load(x, 48), base));
  storeCodes(a, b, c, d, largest, codes);
}

function storeCodes(a: v128, b: v128, c: v128, d: v128, largest: i32, codes: usize): void {
  const limit = i32x4.splat(largest);
  const bytes = packBytes(code(a, limit), code(b, limit), code(c, limit), code(d, limit));
  v128.store(codes, bytes);
}

function code(scaled: v128, limit: v128): v128 {
  return i32x4.max_s(i32x4.splat(0), i32x4.min_s(limit, nearestInts(scaled)));
}

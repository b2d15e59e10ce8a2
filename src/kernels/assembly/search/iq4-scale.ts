import * as iq4 from '../../../core/scheme-constants/iq4-values';
import { NEGLIGIBLE } from '../../../core/scheme-constants/search';
import { extremeOf } from './magnitude';
import { ROUNDER } from './nearest-int';

const SMALLEST: f32 = <f32>iq4.VALUE_0;
/** What a search needs of scratch: sums of 16 tries. */
export const IQ4_SEARCH_BYTES: usize = 128;

/** The values that codes 0..15 in `codes` stand for, as signed bytes. */
export function iq4Values(codes: v128): v128 {
  const values = i8x16(
    <i8>iq4.VALUE_0,
    <i8>iq4.VALUE_1,
    <i8>iq4.VALUE_2,
    <i8>iq4.VALUE_3,
    <i8>iq4.VALUE_4,
    <i8>iq4.VALUE_5,
    <i8>iq4.VALUE_6,
    <i8>iq4.VALUE_7,
    <i8>iq4.VALUE_8,
    <i8>iq4.VALUE_9,
    <i8>iq4.VALUE_10,
    <i8>iq4.VALUE_11,
    <i8>iq4.VALUE_12,
    <i8>iq4.VALUE_13,
    <i8>iq4.VALUE_14,
    <i8>iq4.VALUE_15,
  );
  return i8x16.swizzle(values, codes);
}

export function iq4Value(code: i32): i32 {
  return <i32>i8x16.extract_lane_s(iq4Values(i8x16.splat(<i8>code)), 0);
}

/** The code of the nearest value. */
export function iq4Code(value: f32): i32 {
  const doubles = doubled(f32x4.splat(value));
  return <i32>i8x16.extract_lane_u(codesOfDoubles(doubles, doubles, doubles, doubles), 0);
}

/**
 * Codes of the values nearest to 16 numbers, given twice as large, as the midpoints between values are whole
 * then: -231, -187, -148 ... 158, 202. A bucket of 32, counted from -9, holds one of them at most, so a table
 * tells how many lie below a bucket and another where in it the next one is. Magnitudes are below 2^14; NaN
 * gets any code.
 */
function codesOfDoubles(a: v128, b: v128, c: v128, d: v128): v128 {
  const low = i16x8.narrow_i32x4_s(placeOf(a), placeOf(b));
  const high = i16x8.narrow_i32x4_s(placeOf(c), placeOf(d));
  // Narrowing limits the bucket to -8..7; the outermost hold no midpoint.
  const halved = i8x16.narrow_i16x8_s(i16x8.shr_s(low, 1), i16x8.shr_s(high, 1));
  const bucket = v128.and(i16x8.shr_u(halved, 4), i8x16.splat(15));
  const mask = i16x8.splat(31);
  const inside = i8x16.narrow_i16x8_u(v128.and(low, mask), v128.and(high, mask));
  const below = i8x16.swizzle(i8x16(8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 1, 2, 3, 4, 5, 6), bucket);
  const last = i8x16.swizzle(i8x16(22, 14, 7, 3, 2, 6, 18, 31, 31, 1, 13, 20, 22, 20, 15, 8), bucket);
  return i8x16.sub(below, i8x16.gt_s(inside, last));
}

/** floor(v) + 9 as integers, by the low mantissa bits beside 2^23. */
function placeOf(v: v128): v128 {
  const shifted = f32x4.add(f32x4.floor(v), f32x4.splat(ROUNDER + 9));
  return i32x4.sub(shifted, i32x4.splat(reinterpret<i32>(ROUNDER)));
}

/**
 * Stores the codes of 32 weights times `inverse` in 16 bytes: code j in the low, code j + 16 in the high
 * nibble.
 */
export function storeIq4Codes(x: usize, inverse: f32, target: usize): void {
  const factor = f32x4.splat(inverse);
  v128.store(target, v128.or(codesOf(x, factor), i8x16.shl(codesOf(x + 64, factor), 4)));
}

function codesOf(x: usize, inverse: v128): v128 {
  return codesOfDoubles(
    doubled(f32x4.mul(v128.load(x), inverse)),
    doubled(f32x4.mul(v128.load(x, 16), inverse)),
    doubled(f32x4.mul(v128.load(x, 32), inverse)),
    doubled(f32x4.mul(v128.load(x, 48), inverse)),
  );
}

/** Limited; in this order NaN counts as large, as in ggml's bisection. */
function doubled(v: v128): v128 {
  const limit = f32x4.splat(512);
  return f32x4.pmax(f32x4.neg(limit), f32x4.pmin(limit, f32x4.add(v, v)));
}

/**
 * Finds the scale of 32 weights among 16 tries, which fill the lanes of four vectors, so that the sums of
 * each keep their order. `quantize_row_iq4_nl_impl` of ggml-quants.c with ntry 7.
 */
export function fitIq4(x: usize, weights: usize, sums: usize): f32 {
  const extreme = extremeOf(x, 32);
  if (abs<f32>(extreme) < <f32>NEGLIGIBLE) return 0;
  projectAll(x, weights, extreme, sums);
  let sumXQ = load<f32>(sums);
  let sumQQ = load<f32>(sums, 64);
  let scale: f32 = sumQQ > 0 ? sumXQ / sumQQ : 0;
  let best: f32 = scale * sumXQ;
  for (let at: usize = 4; at < 64; at += 4) {
    sumXQ = load<f32>(sums + at);
    sumQQ = load<f32>(sums + at, 64);
    if (sumQQ > 0 && sumXQ * sumXQ > best * sumQQ) {
      scale = sumXQ / sumQQ;
      best = scale * sumXQ;
    }
  }
  return scale;
}

/** Sums of w q x of 16 tries, then those of w q^2. Tries are scaled twice as large, which is exact. */
function projectAll(x: usize, weights: usize, extreme: f32, sums: usize): void {
  const divisor = f32x4.splat(extreme);
  const plain: f32 = 1 / (-extreme / SMALLEST);
  const inverseA = f32x4.replace_lane(f32x4.div(f32x4(0, -134, -133, -132), divisor), 0, plain);
  const a = f32x4.add(inverseA, inverseA);
  const inverseB = f32x4.div(f32x4(-131, -130, -129, -128), divisor);
  const b = f32x4.add(inverseB, inverseB);
  const inverseC = f32x4.div(f32x4(-127, -126, -125, -124), divisor);
  const c = f32x4.add(inverseC, inverseC);
  const inverseD = f32x4.div(f32x4(-123, -122, -121, -120), divisor);
  const d = f32x4.add(inverseD, inverseD);
  let xqA = f32x4.splat(0);
  let xqB = f32x4.splat(0);
  let xqC = f32x4.splat(0);
  let xqD = f32x4.splat(0);
  let qqA = f32x4.splat(0);
  let qqB = f32x4.splat(0);
  let qqC = f32x4.splat(0);
  let qqD = f32x4.splat(0);
  for (let i: usize = 0; i < 128; i += 4) {
    const value = v128.load32_splat(x + i);
    const weight = v128.load32_splat(weights + i);
    const values = iq4Values(
      codesOfDoubles(f32x4.mul(a, value), f32x4.mul(b, value), f32x4.mul(c, value), f32x4.mul(d, value)),
    );
    const low = i16x8.extend_low_i8x16_s(values);
    const high = i16x8.extend_high_i8x16_s(values);
    let q = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low));
    let weighted = f32x4.mul(weight, q);
    xqA = f32x4.add(xqA, f32x4.mul(weighted, value));
    qqA = f32x4.add(qqA, f32x4.mul(weighted, q));
    q = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low));
    weighted = f32x4.mul(weight, q);
    xqB = f32x4.add(xqB, f32x4.mul(weighted, value));
    qqB = f32x4.add(qqB, f32x4.mul(weighted, q));
    q = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high));
    weighted = f32x4.mul(weight, q);
    xqC = f32x4.add(xqC, f32x4.mul(weighted, value));
    qqC = f32x4.add(qqC, f32x4.mul(weighted, q));
    q = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high));
    weighted = f32x4.mul(weight, q);
    xqD = f32x4.add(xqD, f32x4.mul(weighted, value));
    qqD = f32x4.add(qqD, f32x4.mul(weighted, q));
  }
  v128.store(sums, xqA);
  v128.store(sums, xqB, 16);
  v128.store(sums, xqC, 32);
  v128.store(sums, xqD, 48);
  v128.store(sums, qqA, 64);
  v128.store(sums, qqB, 80);
  v128.store(sums, qqC, 96);
  v128.store(sums, qqD, 112);
}

import { NEGLIGIBLE } from '../../../core/scheme-constants/search';
import { extremeOf } from './magnitude';
import { nearestInts, ROUNDER } from './nearest-int';

/** What a search needs of scratch: sums of 20 tries. */
export const SIGNED_SEARCH_BYTES: usize = 160;

/**
 * Finds the scale of `count` weights (a multiple of 4, at most 32) with codes -limit .. limit - 1 among 19
 * tries, and leaves the codes plus `limit` in bytes at `codes`. The tries fill the lanes of five vectors (one
 * lane to spare), so that the sums of each keep their order. `make_qx_quants` of
 * ggml-quants.c with rmse_type 1.
 */
export function fitSigned(x: usize, count: i32, limit: f32, weights: usize, codes: usize, sums: usize): f32 {
  const extreme = extremeOf(x, count);
  if (abs<f32>(extreme) < <f32>NEGLIGIBLE) {
    memory.fill(codes, 0, count);
    return 0;
  }
  const end = (<usize>count) << 2;
  projectAll(x, end, limit, weights, extreme, sums);

  // The plain scale -limit / extreme comes first, then -9 .. 9 tenths around it.
  let bestTry = 9;
  let sumXL = load<f32>(sums, 36);
  let sumLL = load<f32>(sums, 116);
  let scale: f32 = sumLL === 0 ? 0 : sumXL / sumLL;
  let best: f32 = scale * sumXL;
  for (let index = 0; index < 19; index++) {
    if (index === 9) continue;
    sumXL = load<f32>(sums + ((<usize>index) << 2));
    sumLL = load<f32>(sums + ((<usize>index) << 2), 80);
    if (sumLL > 0 && sumXL * sumXL > best * sumLL) {
      scale = sumXL / sumLL;
      best = scale * sumXL;
      bestTry = index;
    }
  }
  const inverse = f32x4.splat(inverseOf(bestTry, limit, extreme));
  for (let i: usize = 0; i < end; i += 16) {
    storeCodes(codes + (i >> 2), f32x4.mul(inverse, v128.load(x + i)), <i32>limit);
  }
  return scale;
}

/** Stores the codes of four scaled weights, plus `limit`, as bytes. */
function storeCodes(codes: usize, scaled: v128, limit: i32): void {
  const code = i32x4.max_s(i32x4.min_s(nearestInts(scaled), i32x4.splat(limit - 1)), i32x4.splat(-limit));
  const words = i32x4.add(code, i32x4.splat(limit));
  const halves = i16x8.narrow_i32x4_u(words, words);
  v128.store32_lane(codes, i8x16.narrow_i16x8_u(halves, halves), 0);
}

/** Inverse scale of try 0..18; 9 is the middle, where 0.1 * 0 adds nothing. */
function inverseOf(index: i32, limit: f32, extreme: f32): f32 {
  return -(limit + <f32>0.1 * <f32>(index - 9)) / extreme;
}

/** Four inverse scales from try `index` on. */
function inversesOf(index: i32, limit: f32, extreme: f32): v128 {
  const tenths = f32x4.add(f32x4(-9, -8, -7, -6), f32x4.splat(<f32>index));
  const limits = f32x4.add(f32x4.splat(limit), f32x4.mul(f32x4.splat(0.1), tenths));
  return f32x4.div(f32x4.neg(limits), f32x4.splat(extreme));
}

/** Sums of w x l, then of w l^2, of four tries each. */
function projectAll(x: usize, end: usize, limit: f32, weights: usize, extreme: f32, sums: usize): void {
  const a = inversesOf(0, limit, extreme);
  const b = inversesOf(4, limit, extreme);
  const c = inversesOf(8, limit, extreme);
  const d = inversesOf(12, limit, extreme);
  const e = inversesOf(16, limit, extreme);
  const low = f32x4.splat(-limit);
  const high = f32x4.splat(limit - 1);
  const infinity = f32x4.splat(Infinity);
  let xlA = f32x4.splat(0);
  let xlB = f32x4.splat(0);
  let xlC = f32x4.splat(0);
  let xlD = f32x4.splat(0);
  let xlE = f32x4.splat(0);
  let llA = f32x4.splat(0);
  let llB = f32x4.splat(0);
  let llC = f32x4.splat(0);
  let llD = f32x4.splat(0);
  let llE = f32x4.splat(0);
  for (let i: usize = 0; i < end; i += 4) {
    const value = v128.load32_splat(x + i);
    const weight = v128.load32_splat(weights + i);
    const weighted = f32x4.mul(weight, value);
    // Infinities and NaN have the code 0, as ggml's bits of NaN give.
    const finite = v128.and(value, f32x4.lt(f32x4.abs(value), infinity));
    let code = rounded(f32x4.mul(a, finite), low, high);
    xlA = f32x4.add(xlA, f32x4.mul(weighted, code));
    llA = f32x4.add(llA, f32x4.mul(f32x4.mul(weight, code), code));
    code = rounded(f32x4.mul(b, finite), low, high);
    xlB = f32x4.add(xlB, f32x4.mul(weighted, code));
    llB = f32x4.add(llB, f32x4.mul(f32x4.mul(weight, code), code));
    code = rounded(f32x4.mul(c, finite), low, high);
    xlC = f32x4.add(xlC, f32x4.mul(weighted, code));
    llC = f32x4.add(llC, f32x4.mul(f32x4.mul(weight, code), code));
    code = rounded(f32x4.mul(d, finite), low, high);
    xlD = f32x4.add(xlD, f32x4.mul(weighted, code));
    llD = f32x4.add(llD, f32x4.mul(f32x4.mul(weight, code), code));
    code = rounded(f32x4.mul(e, finite), low, high);
    xlE = f32x4.add(xlE, f32x4.mul(weighted, code));
    llE = f32x4.add(llE, f32x4.mul(f32x4.mul(weight, code), code));
  }
  v128.store(sums, xlA);
  v128.store(sums, xlB, 16);
  v128.store(sums, xlC, 32);
  v128.store(sums, xlD, 48);
  v128.store(sums, xlE, 64);
  v128.store(sums, llA, 80);
  v128.store(sums, llB, 96);
  v128.store(sums, llC, 112);
  v128.store(sums, llD, 128);
  v128.store(sums, llE, 144);
}

/**
 * Nearest integers from low to high, as floats: no weight exceeds the extreme, so that an addition can round.
 */
function rounded(v: v128, low: v128, high: v128): v128 {
  const rounder = f32x4.splat(ROUNDER);
  return f32x4.pmax(low, f32x4.pmin(high, f32x4.sub(f32x4.add(v, rounder), rounder)));
}

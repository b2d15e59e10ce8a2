import { extremeOf } from './magnitude';
import { nearestInts, ROUNDER } from './nearest-int';

const NEGLIGIBLE: f32 = 1e-15;
/** What a search needs of scratch: sums of 20 tries. */
export const SIGNED_SEARCH_BYTES: usize = 160;

/**
 * Finds the scale of `count` weights (a multiple of 4, at most 32) with codes -limit .. limit - 1 among 19 tries, and
 * leaves the codes plus `limit` in bytes at `codes`. The tries fill the lanes of five vectors (one lane to spare), so
 * that the sums of each keep their order. Twin of src/schemes/search/signed-scale.ts.
 */
export function fitSigned(x: usize, count: i32, limit: f32, weights: usize, codes: usize, tries: usize): f32 {
  const extreme = extremeOf(x, count);
  if (abs<f32>(extreme) < NEGLIGIBLE) {
    memory.fill(codes, 0, count);
    return 0;
  }
  const end = (<usize>count) << 2;
  for (let quad = 0; quad < 5; quad++) {
    tryFour(x, end, limit, weights, extreme, quad, tries + ((<usize>quad) << 5));
  }

  // The plain scale -limit / extreme comes first, then -9 .. 9 tenths around it.
  let bestTry = 9;
  let sumXL = load<f32>(sumsOf(tries, 9));
  let sumLL = load<f32>(sumsOf(tries, 9), 16);
  let scale: f32 = sumLL === 0 ? 0 : sumXL / sumLL;
  let best: f32 = scale * sumXL;
  for (let index = 0; index < 19; index++) {
    if (index === 9) continue;
    sumXL = load<f32>(sumsOf(tries, index));
    sumLL = load<f32>(sumsOf(tries, index), 16);
    if (sumLL > 0 && sumXL * sumXL > best * sumLL) {
      scale = sumXL / sumLL;
      best = scale * sumXL;
      bestTry = index;
    }
  }
  const inverse = f32x4.splat(inverseOf(bestTry, limit, extreme));
  for (let i: usize = 0; i < end; i += 16) {
    storeSignedCodes(codes + (i >> 2), f32x4.mul(inverse, v128.load(x + i)), <i32>limit);
  }
  return scale;
}

/** Stores the codes of four scaled weights, plus `limit`, as bytes. */
export function storeSignedCodes(codes: usize, scaled: v128, limit: i32): void {
  const code = i32x4.max_s(i32x4.min_s(nearestInts(scaled), i32x4.splat(limit - 1)), i32x4.splat(-limit));
  const words = i32x4.add(code, i32x4.splat(limit));
  const halves = i16x8.narrow_i32x4_u(words, words);
  v128.store32_lane(codes, i8x16.narrow_i16x8_u(halves, halves), 0);
}

/** Where the sums of try 0..18 lie: four sums of w x l, then four of w l^2, for each four tries. */
function sumsOf(tries: usize, index: i32): usize {
  return tries + ((<usize>(index >> 2)) << 5) + ((<usize>(index & 3)) << 2);
}

/** Inverse scale of try 0..18; 9 is the middle, where 0.1 * 0 adds nothing. */
function inverseOf(index: i32, limit: f32, extreme: f32): f32 {
  return -(limit + <f32>0.1 * <f32>(index - 9)) / extreme;
}

function tryFour(
  x: usize,
  end: usize,
  limit: f32,
  weights: usize,
  extreme: f32,
  quad: i32,
  sums: usize,
): void {
  let inverse = f32x4.splat(inverseOf(quad << 2, limit, extreme));
  inverse = f32x4.replace_lane(inverse, 1, inverseOf((quad << 2) + 1, limit, extreme));
  inverse = f32x4.replace_lane(inverse, 2, inverseOf((quad << 2) + 2, limit, extreme));
  inverse = f32x4.replace_lane(inverse, 3, inverseOf((quad << 2) + 3, limit, extreme));
  const low = f32x4.splat(-limit);
  const high = f32x4.splat(limit - 1);
  const rounder = f32x4.splat(ROUNDER);
  let sumXL = f32x4.splat(0);
  let sumLL = f32x4.splat(0);
  for (let i: usize = 0; i < end; i += 4) {
    const value = v128.load32_splat(x + i);
    const weight = v128.load32_splat(weights + i);
    // No weight exceeds the extreme, so this rounds as ggml's bits do; beside infinities all sums are NaN.
    const rounded = f32x4.sub(f32x4.add(f32x4.mul(inverse, value), rounder), rounder);
    const code = f32x4.pmax(low, f32x4.pmin(high, rounded));
    sumXL = f32x4.add(sumXL, f32x4.mul(f32x4.mul(weight, value), code));
    sumLL = f32x4.add(sumLL, f32x4.mul(f32x4.mul(weight, code), code));
  }
  v128.store(sums, sumXL);
  v128.store(sums, sumLL, 16);
}

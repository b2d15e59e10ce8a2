import { MAX_PASSES, NEGLIGIBLE } from '../../../core/scheme-constants/search';
import { nearestInts } from './nearest-int';

/**
 * Finds the scales of four groups of 16 with codes -limit .. limit - 1, one group a lane: vector i of `x`
 * holds weight i of each. Leaves the codes, offset by `limit`, as floats in 16 vectors at `codes`. A lane
 * that has settled stays as it is while others go on. `make_q3_quants` of ggml-quants.c.
 */
export function fitByCoordinates(x: usize, limit: f32, codes: usize): v128 {
  const zero = f32x4.splat(0);
  let magnitude = zero;
  let extreme = zero;
  for (let i: usize = 0; i < 256; i += 16) {
    const value = v128.load(x + i);
    const size = f32x4.abs(value);
    const larger = f32x4.gt(size, magnitude);
    magnitude = v128.bitselect(size, magnitude, larger);
    extreme = v128.bitselect(value, extreme, larger);
  }
  const negligible = f32x4.lt(magnitude, f32x4.splat(<f32>NEGLIGIBLE));
  const inverse = f32x4.div(f32x4.splat(-limit), extreme);
  const low = i32x4.splat(<i32>-limit);
  const high = i32x4.splat(<i32>limit - 1);
  let sumXL = zero;
  let sumLL = zero;
  for (let i: usize = 0; i < 256; i += 16) {
    const value = v128.load(x + i);
    const code = clamp(f32x4.mul(inverse, value), low, high);
    const weight = f32x4.mul(value, value);
    v128.store(codes + i, code);
    sumXL = f32x4.add(sumXL, f32x4.mul(f32x4.mul(weight, value), code));
    sumLL = f32x4.add(sumLL, f32x4.mul(f32x4.mul(weight, code), code));
  }
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    let changed = zero;
    for (let i: usize = 0; i < 256; i += 16) {
      const value = v128.load(x + i);
      const old = v128.load(codes + i);
      const weight = f32x4.mul(value, value);
      const weighted = f32x4.mul(weight, value);
      let withoutXL = f32x4.sub(sumXL, f32x4.mul(weighted, old));
      let withoutLL = f32x4.sub(sumLL, f32x4.mul(f32x4.mul(weight, old), old));
      const code = clamp(f32x4.div(f32x4.mul(value, withoutLL), withoutXL), low, high);
      const moved = v128.and(f32x4.gt(withoutXL, zero), f32x4.ne(code, old));
      if (!v128.any_true(moved)) continue;
      withoutXL = f32x4.add(withoutXL, f32x4.mul(weighted, code));
      withoutLL = f32x4.add(withoutLL, f32x4.mul(f32x4.mul(weight, code), code));
      const ours = f32x4.mul(f32x4.mul(withoutXL, withoutXL), sumLL);
      const theirs = f32x4.mul(f32x4.mul(sumXL, sumXL), withoutLL);
      const improved = v128.and(f32x4.gt(withoutLL, zero), f32x4.gt(ours, theirs));
      const better = v128.and(moved, improved);
      v128.store(codes + i, v128.bitselect(code, old, better));
      sumXL = v128.bitselect(withoutXL, sumXL, better);
      sumLL = v128.bitselect(withoutLL, sumLL, better);
      changed = v128.or(changed, better);
    }
    if (!v128.any_true(changed)) break;
  }
  for (let i: usize = 0; i < 256; i += 16) {
    const code = f32x4.add(v128.load(codes + i), f32x4.splat(limit));
    v128.store(codes + i, v128.andnot(code, negligible));
  }
  const scale = v128.and(f32x4.div(sumXL, sumLL), f32x4.gt(sumLL, zero));
  return v128.andnot(scale, negligible);
}

function clamp(scaled: v128, low: v128, high: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.max_s(low, i32x4.min_s(high, nearestInts(scaled))));
}

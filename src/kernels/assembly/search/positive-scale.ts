import { MAX_PASSES, NEGLIGIBLE, POSITIVE_TENTHS } from '../../../core/scheme-constants/search';
import { nearestInt } from './nearest-int';

/**
 * Finds the scale of positive values with codes 0 .. largest: nine tries, then up to five passes that change
 * one code at a time where this projects better. Codes are bytes, as in ggml, so that the code of a negative
 * value is a large one. `make_qp_quants` of ggml-quants.c.
 */
export function fitPositive(x: usize, weights: usize, count: i32, largest: i32, codes: usize): f32 {
  let max: f32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    const value = load<f32>(x + (i << 2));
    if (!(max > value)) max = value;
  }
  if (max < <f32>NEGLIGIBLE) {
    memory.fill(codes, 0, count);
    return 0;
  }
  let inverse = <f32>largest / max;
  let best = plainError(x, weights, count, inverse);
  for (let step = -POSITIVE_TENTHS; step <= POSITIVE_TENTHS; step++) {
    if (step === 0) continue;
    const tried = (<f32>0.1 * <f32>step + <f32>largest) / max;
    const error = errorOf(x, weights, count, largest, tried);
    if (error < best) {
      best = error;
      inverse = tried;
    }
  }
  return descend(x, weights, count, largest, codes, inverse);
}

/** Error of the first try, whose codes ggml does not limit but keeps in bytes. */
function plainError(x: usize, weights: usize, count: i32, inverse: f32): f32 {
  const scale: f32 = 1 / inverse;
  let error: f32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    const value = load<f32>(x + (i << 2));
    const difference = value - scale * <f32>(nearestInt(inverse * value) & 0xff);
    error += load<f32>(weights + (i << 2)) * difference * difference;
  }
  return error;
}

function errorOf(x: usize, weights: usize, count: i32, largest: i32, inverse: f32): f32 {
  const scale: f32 = 1 / inverse;
  let error: f32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    const value = load<f32>(x + (i << 2));
    const difference = value - scale * <f32>min<i32>(largest, nearestInt(inverse * value));
    error += load<f32>(weights + (i << 2)) * difference * difference;
  }
  return error;
}

function descend(x: usize, weights: usize, count: i32, largest: i32, codes: usize, inverse: f32): f32 {
  let sumXL: f32 = 0;
  let sumLL: f32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    const value = load<f32>(x + (i << 2));
    const weight = load<f32>(weights + (i << 2));
    const code = min<i32>(largest, nearestInt(inverse * value));
    store<u8>(codes + i, <u8>code);
    sumXL += weight * value * <f32>code;
    sumLL += weight * <f32>code * <f32>code;
  }
  let changed = true;
  for (let pass = 0; pass < MAX_PASSES && changed; pass++) {
    changed = false;
    for (let i: usize = 0; i < <usize>count; i++) {
      const value = load<f32>(x + (i << 2));
      const weight = load<f32>(weights + (i << 2));
      const old = <f32>load<u8>(codes + i);
      let withoutXL = sumXL - weight * value * old;
      let withoutLL = sumLL - weight * old * old;
      if (!(withoutXL > 0 && withoutLL > 0)) continue;
      const code = min<i32>(largest, nearestInt((value * withoutLL) / withoutXL));
      if (<f32>code === old) continue;
      withoutXL += weight * value * <f32>code;
      withoutLL += weight * <f32>code * <f32>code;
      if (!(withoutXL * withoutXL * sumLL > sumXL * sumXL * withoutLL)) continue;
      store<u8>(codes + i, <u8>code);
      sumXL = withoutXL;
      sumLL = withoutLL;
      changed = true;
    }
  }
  return sumLL > 0 ? sumXL / sumLL : 0;
}

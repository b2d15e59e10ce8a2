/**
 * 1.5 * 2^23: added to a float below 2^22, it leaves the nearest integer, ties to even, in the low mantissa
 * bits.
 */
export const ROUNDER: f32 = 12582912;

/** Nearest integers; outside of 2^22 the bits that ggml takes. */
export function nearestInts(v: v128): v128 {
  const rounded = f32x4.add(v, f32x4.splat(ROUNDER));
  return i32x4.sub(v128.and(rounded, i32x4.splat(0x7fffff)), i32x4.splat(0x400000));
}

export function nearestInt(v: f32): i32 {
  return (reinterpret<i32>(v + ROUNDER) & 0x7fffff) - 0x400000;
}

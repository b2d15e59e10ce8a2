/** Writes sixteen signed bytes times the scale in `scale` as f32. */
export function storeScaled(target: usize, codes: v128, scale: v128): void {
  const low = i16x8.extend_low_i8x16_s(codes);
  const high = i16x8.extend_high_i8x16_s(codes);
  v128.store(target, f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low))));
  v128.store(target, f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low))), 16);
  v128.store(target, f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high))), 32);
  v128.store(target, f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high))), 48);
}

/**
 * f32 to the low byte of C's integer on x86, where everything outside of i32 becomes 0x80000000 (low byte 0);
 * WebAssembly alone would saturate.
 */
export function truncateToByte(v: v128): v128 {
  const fits = f32x4.lt(f32x4.abs(v), f32x4.splat(2147483648));
  return v128.and(v128.and(i32x4.trunc_sat_f32x4_s(v), fits), i32x4.splat(0xff));
}

/** The bytes in four vectors of lanes 0..255, in order. */
export function packBytes(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_u(a, b), i16x8.narrow_i32x4_u(c, d));
}

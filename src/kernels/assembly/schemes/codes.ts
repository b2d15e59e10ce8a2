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

/** `truncateToByte` of what is rounded half away from zero: what was cut off decides, for it is exact. */
export function roundToByte(v: v128): v128 {
  const whole = f32x4.trunc(v);
  const rest = f32x4.sub(v, whole);
  const away = f32x4.ge(f32x4.abs(rest), f32x4.splat(0.5));
  const sign = v128.and(v, i32x4.splat(0x80000000));
  const one = v128.or(v128.and(away, f32x4.splat(1)), sign);
  return truncateToByte(f32x4.add(whole, one));
}

/**
 * `truncateToByte` where numbers are finite ones of 0 .. 255, infinities or NaN: in the low mantissa bits
 * beside 2^23.
 */
function truncateCode(v: v128): v128 {
  const whole = f32x4.floor(f32x4.pmax(f32x4.splat(0), v));
  return v128.and(f32x4.add(whole, f32x4.splat(8388608)), i32x4.splat(0xff));
}

/** Codes of 16 weights, truncated from inverse * (x - base) + shift. */
export function truncatedCodes(x: usize, base: v128, inverse: v128, shift: v128): v128 {
  return packBytes(
    truncateCode(f32x4.add(f32x4.mul(f32x4.sub(v128.load(x), base), inverse), shift)),
    truncateCode(f32x4.add(f32x4.mul(f32x4.sub(v128.load(x, 16), base), inverse), shift)),
    truncateCode(f32x4.add(f32x4.mul(f32x4.sub(v128.load(x, 32), base), inverse), shift)),
    truncateCode(f32x4.add(f32x4.mul(f32x4.sub(v128.load(x, 48), base), inverse), shift)),
  );
}

/** The bytes in four vectors of lanes 0..255, in order. */
export function packBytes(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_u(a, b), i16x8.narrow_i32x4_u(c, d));
}

/** Writes sixteen unsigned bytes times `step` less `min` as f32. */
export function storeOffset(target: usize, codes: v128, step: v128, min: v128): void {
  const low = i16x8.extend_low_i8x16_u(codes);
  const high = i16x8.extend_high_i8x16_u(codes);
  storeFour(target, i32x4.extend_low_i16x8_u(low), step, min);
  storeFour(target + 16, i32x4.extend_high_i16x8_u(low), step, min);
  storeFour(target + 32, i32x4.extend_low_i16x8_u(high), step, min);
  storeFour(target + 48, i32x4.extend_high_i16x8_u(high), step, min);
}

function storeFour(target: usize, codes: v128, step: v128, min: v128): void {
  v128.store(target, f32x4.sub(f32x4.mul(step, f32x4.convert_i32x4_s(codes)), min));
}

/** Packs the two low bits of 256 codes: those of weight 128h + 32k + j into byte 32h + j, from bit 2k on. */
export function packBitPairs(codes: usize, target: usize): void {
  const mask = i8x16.splat(3);
  for (let half: usize = 0; half < 2; half++) {
    for (let j: usize = 0; j < 32; j += 16) {
      const first = codes + 128 * half + j;
      const a = v128.and(v128.load(first), mask);
      const b = v128.and(v128.load(first, 32), mask);
      const c = v128.and(v128.load(first, 64), mask);
      const d = v128.and(v128.load(first, 96), mask);
      const low = v128.or(a, i8x16.shl(b, 2));
      const high = v128.or(i8x16.shl(c, 4), i8x16.shl(d, 6));
      v128.store(target + 32 * half + j, v128.or(low, high));
    }
  }
}

/** Exchanges the low or the high nibble of the byte at `p`. */
export function setHalf(p: usize, isHigh: bool, code: i32): void {
  const byte = <i32>load<u8>(p);
  store<u8>(p, isHigh ? (byte & 15) | (code << 4) : (byte & 0xf0) | code);
}

/** Exchanges code j of 32 in 16 bytes: code j in the low, code j + 16 in the high nibble of byte j. */
export function setNibble(p: usize, j: i32, code: i32): void {
  setHalf(p + (j & 15), j > 15, code);
}

/** Exchanges one bit of the byte at `p`. */
export function setBit(p: usize, bit: i32, value: i32): void {
  store<u8>(p, (<i32>load<u8>(p) & ~(1 << bit)) | (value << bit));
}

/** Exchanges one of the pairs that `packBitPairs` has packed. */
export function setBitPair(p: usize, i: i32, pair: i32): void {
  const byte = p + 32 * (i >> 7) + (i & 31);
  const shift = 2 * ((i >> 5) & 3);
  store<u8>(byte, (<i32>load<u8>(byte) & ~(3 << shift)) | (pair << shift));
}

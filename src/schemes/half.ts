/**
 * IEEE 754 binary16 as bit patterns. Integers carry the values: a NaN that passes through a JavaScript number
 * may lose its sign and payload.
 */

const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

/**
 * Bits of an f32 to bits of the nearest f16, ties to even. Every NaN becomes the quiet NaN of its sign, as in
 * ggml.
 */
export function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Rounding may carry into the exponent: 65520 becomes infinity that way, as it should.
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  // Subnormal halves count multiples of 2^-24; below half of that everything is zero.
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  return sign | ((mantissa + (1 << (shift - 1)) - 1 + ((mantissa >>> shift) & 1)) >>> shift);
}

/** Bits of an f16 to bits of the same value in f32. Signalling NaNs become quiet and keep their payload. */
export function halfToFloatBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) {
    const quiet = mantissa === 0 ? 0 : 0x400000;
    return (sign | 0x7f800000 | quiet | (mantissa << 13)) >>> 0;
  }
  if (exponent !== 0) return (sign | ((exponent + 112) << 23) | (mantissa << 13)) >>> 0;
  if (mantissa === 0) return sign >>> 0;
  const leading = 31 - Math.clz32(mantissa);
  return (sign | ((leading + 103) << 23) | ((mantissa << (23 - leading)) & 0x7fffff)) >>> 0;
}

/** The f16 nearest to a number that is an f32 already. */
export function toHalf(value: number): number {
  FLOAT[0] = value;
  return halfBits(BITS[0]!);
}

export function fromHalf(half: number): number {
  BITS[0] = halfToFloatBits(half);
  return FLOAT[0]!;
}

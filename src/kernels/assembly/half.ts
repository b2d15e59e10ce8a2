/** IEEE 754 binary16 in the lanes of i32x4, with the results of src/schemes/half.ts. */

/** Bits of f32 to bits of the nearest f16, ties to even, in the lower half of each lane. */
export function halfBits(bits: v128): v128 {
  const sign = v128.and(i32x4.shr_u(bits, 16), i32x4.splat(0x8000));
  const magnitude = v128.and(bits, i32x4.splat(0x7fffffff));
  // Beside 0.5 the last place of an f32 is worth 2^-24, the unit of subnormal halves: the addition rounds.
  const half = f32x4.splat(0.5);
  const subnormal = i32x4.sub(f32x4.add(magnitude, half), half);
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const rebased = i32x4.add(i32x4.sub(magnitude, i32x4.splat(0x38000000 - 0xfff)), odd);
  let result = v128.bitselect(
    subnormal,
    i32x4.shr_u(rebased, 13),
    i32x4.lt_s(magnitude, i32x4.splat(0x38800000)),
  );
  result = v128.bitselect(i32x4.splat(0x7c00), result, i32x4.ge_s(magnitude, i32x4.splat(0x47800000)));
  result = v128.bitselect(i32x4.splat(0x7e00), result, i32x4.gt_s(magnitude, i32x4.splat(0x7f800000)));
  return v128.or(sign, result);
}

/** Bits of f16, one a lane, to f32. */
export function halfToFloat(half: v128): v128 {
  const sign = i32x4.shl(v128.and(half, i32x4.splat(0x8000)), 16);
  const shifted = i32x4.shl(v128.and(half, i32x4.splat(0x7fff)), 13);
  // 2^112 moves the exponent bias from 15 to 127, subnormals included.
  const finite = f32x4.mul(shifted, f32x4.splat(reinterpret<f32>(0x77800000)));
  const infinity = i32x4.splat(0x0f800000);
  const quiet = v128.and(i32x4.gt_s(shifted, infinity), i32x4.splat(0x400000));
  const special = v128.or(v128.or(shifted, i32x4.splat(0x7f800000)), quiet);
  return v128.or(sign, v128.bitselect(special, finite, i32x4.ge_s(shifted, infinity)));
}

export function storeHalf(p: usize, value: f32): void {
  store<u16>(p, <u16>i32x4.extract_lane(halfBits(f32x4.splat(value)), 0));
}

/** The f16 at `p` in all four lanes. */
export function splatHalf(p: usize): v128 {
  return halfToFloat(i32x4.splat(<i32>load<u16>(p)));
}

export function loadHalf(p: usize): f32 {
  return f32x4.extract_lane(splatHalf(p), 0);
}

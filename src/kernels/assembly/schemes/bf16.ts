export function decodeBF16(source: usize, target: usize, columns: i32): void {
  let c = 0;
  for (; c + 4 <= columns; c += 4) {
    const halves = v128.load_ext<u16>(source + ((<usize>c) << 1));
    v128.store(target + ((<usize>c) << 2), i32x4.shl(halves, 16));
  }
  for (; c < columns; c++) {
    store<u32>(target + ((<usize>c) << 2), (<u32>load<u16>(source + ((<usize>c) << 1))) << 16);
  }
}

export function encodeBF16(source: usize, target: usize, columns: i32): void {
  let c = 0;
  for (; c + 4 <= columns; c += 4) {
    const halves = bfloatBits(v128.load(source + ((<usize>c) << 2)));
    v128.store64_lane(target + ((<usize>c) << 1), i16x8.narrow_i32x4_u(halves, halves), 0);
  }
  for (; c < columns; c++) {
    const half = bfloatBits(v128.load32_zero(source + ((<usize>c) << 2)));
    store<u16>(target + ((<usize>c) << 1), <u16>i32x4.extract_lane(half, 0));
  }
}

/** Nearest bf16, ties to even, in the lower half of each lane; NaNs become quiet. */
function bfloatBits(bits: v128): v128 {
  const upper = i32x4.shr_u(bits, 16);
  const odd = v128.and(upper, i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(bits, i32x4.add(odd, i32x4.splat(0x7fff))), 16);
  return v128.bitselect(rounded, v128.or(upper, i32x4.splat(0x40)), f32x4.eq(bits, bits));
}

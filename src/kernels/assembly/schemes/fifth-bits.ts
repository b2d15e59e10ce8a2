/** Bits 0..15 at `p` as 16 or 0 in the bytes 0..15. */
export function loadFifthBits(p: usize): v128 {
  const bits = v128.load16_splat(p);
  const spread = i8x16.shuffle(bits, bits, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const mask = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  return v128.and(i8x16.eq(v128.and(spread, mask), mask), i8x16.splat(16));
}

/** Stores 32 codes of 5 bits: four bytes of fifth bits, then code j and j + 16 in the nibbles of byte j. */
export function storeFiveBits(p: usize, low: v128, high: v128): void {
  const fifteen = i8x16.splat(15);
  store<u16>(p, <u16>i8x16.bitmask(i8x16.gt_s(low, fifteen)));
  store<u16>(p, <u16>i8x16.bitmask(i8x16.gt_s(high, fifteen)), 2);
  v128.store(p, v128.or(v128.and(low, fifteen), i8x16.shl(high, 4)), 4);
}

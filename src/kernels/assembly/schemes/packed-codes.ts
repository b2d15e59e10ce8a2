import { setBit, setNibble } from './codes';

/**
 * Codes of 32 weights in a block. Of 4 bits: code j in the low, code j + 16 in the high nibble of byte j. Of
 * 5 bits: the fifth bits of all in four bytes, then the nibbles.
 */
const FIFTHS: usize = 4;

/**
 * Type parameters for code of both: AssemblyScript has no generics over numbers, and what is known when it is
 * compiled is left out of loops.
 */
export class FourBits {}
export class FiveBits {}

export function hasFifths<Bits>(): bool {
  return idof<Bits>() === idof<FiveBits>();
}

/** Codes 0..15, a byte each. */
export function loadLowCodes<Bits>(p: usize): v128 {
  const fifteen = i8x16.splat(15);
  if (!hasFifths<Bits>()) return v128.and(v128.load(p), fifteen);
  return v128.or(v128.and(v128.load(p, FIFTHS), fifteen), loadFifths(p));
}

/** Codes 16..31, a byte each. */
export function loadHighCodes<Bits>(p: usize): v128 {
  if (!hasFifths<Bits>()) return i8x16.shr_u(v128.load(p), 4);
  return v128.or(i8x16.shr_u(v128.load(p, FIFTHS), 4), loadFifths(p + 2));
}

/** Bits 0..15 at `p` as 16 or 0 in the bytes 0..15. */
function loadFifths(p: usize): v128 {
  const bits = v128.load16_splat(p);
  const spread = i8x16.shuffle(bits, bits, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const mask = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  return v128.and(i8x16.eq(v128.and(spread, mask), mask), i8x16.splat(16));
}

export function storeCodes<Bits>(p: usize, low: v128, high: v128): void {
  if (!hasFifths<Bits>()) {
    v128.store(p, v128.or(low, i8x16.shl(high, 4)));
    return;
  }
  const fifteen = i8x16.splat(15);
  store<u16>(p, <u16>i8x16.bitmask(i8x16.gt_s(low, fifteen)));
  store<u16>(p, <u16>i8x16.bitmask(i8x16.gt_s(high, fifteen)), 2);
  v128.store(p, v128.or(v128.and(low, fifteen), i8x16.shl(high, 4)), FIFTHS);
}

/** Exchanges code j. */
export function setCode<Bits>(p: usize, j: i32, code: i32): void {
  if (!hasFifths<Bits>()) {
    setNibble(p, j, code);
    return;
  }
  setBit(p + (j >> 3), j & 7, code >> 4);
  setNibble(p + FIFTHS, j, code & 15);
}

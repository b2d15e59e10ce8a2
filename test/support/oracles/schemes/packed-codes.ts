const HALF_BLOCK = 16;

/** Codes of 32 weights in 16 bytes: code j in the low, code j + 16 in the high nibble of byte j. */
export function packNibbles(codes: Uint8Array, target: Uint8Array, at: number): void {
  for (let j = 0; j < HALF_BLOCK; j++) {
    target[at + j] = codes[j]! | (codes[j + HALF_BLOCK]! << 4);
  }
}

/** Exchanges one of the codes that `packNibbles` has packed. */
export function setNibble(target: Uint8Array, at: number, j: number, code: number): void {
  setHalf(target, at + (j % HALF_BLOCK), j >= HALF_BLOCK, code);
}

/** Exchanges the low or the high nibble of a byte. */
export function setHalf(target: Uint8Array, at: number, isHigh: boolean, code: number): void {
  target[at] = isHigh ? (target[at]! & 15) | (code << 4) : (target[at]! & 0xf0) | code;
}

/**
 * Codes of 5 bits in 20 bytes: the fifth bits, that of code j in bit j mod 8 of byte j / 8, then the nibbles.
 */
function packFiveBits(codes: Uint8Array, target: Uint8Array, at: number): void {
  target.fill(0, at, at + 4);
  for (let j = 0; j < 2 * HALF_BLOCK; j++) {
    target[at + (j >> 3)]! |= (codes[j]! >> 4) << (j & 7);
    codes[j]! &= 15;
  }
  packNibbles(codes, target, at + 4);
}

/** Exchanges one of the codes that `packFiveBits` has packed. */
function setFiveBits(target: Uint8Array, at: number, j: number, code: number): void {
  setBit(target, at + (j >> 3), j & 7, code >> 4);
  setNibble(target, at + 4, j, code & 15);
}

/** Exchanges bit `bit` of a byte. */
export function setBit(target: Uint8Array, at: number, bit: number, value: number): void {
  target[at] = (target[at]! & ~(1 << bit)) | (value << bit);
}

/** How 32 codes lie in a block. */
export interface CodePacking {
  readonly pack: (codes: Uint8Array, target: Uint8Array, at: number) => void;
  readonly set: (target: Uint8Array, at: number, j: number, code: number) => void;
}

export const NIBBLES: CodePacking = { pack: packNibbles, set: setNibble };
export const FIVE_BITS: CodePacking = { pack: packFiveBits, set: setFiveBits };

const HALF_BLOCK = 16;

/** Codes of 32 weights in 16 bytes: code j in the low, code j + 16 in the high nibble of byte j. */
export function unpackNibbles(source: Uint8Array, at: number, codes: Uint8Array): void {
  for (let j = 0; j < HALF_BLOCK; j++) {
    codes[j] = source[at + j]! & 15;
    codes[j + HALF_BLOCK] = source[at + j]! >> 4;
  }
}

/**
 * Codes of 5 bits in 20 bytes: the fifth bits, that of code j in bit j mod 8 of byte j / 8, then the nibbles.
 */
export function unpackFiveBits(source: Uint8Array, at: number, codes: Uint8Array): void {
  unpackNibbles(source, at + 4, codes);
  for (let j = 0; j < 2 * HALF_BLOCK; j++) {
    codes[j]! |= ((source[at + (j >> 3)]! >> (j & 7)) & 1) << 4;
  }
}

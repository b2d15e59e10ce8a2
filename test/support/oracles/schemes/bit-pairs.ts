const BLOCK_SIZE = 256;

/** Exchanges one of the pairs that `packBitPairs` has packed. */
export function setBitPair(target: Uint8Array, at: number, i: number, pair: number): void {
  const byte = at + 32 * (i >> 7) + (i & 31);
  const shift = 2 * ((i >> 5) & 3);
  target[byte] = (target[byte]! & ~(3 << shift)) | (pair << shift);
}

/** Packs the two low bits of 256 codes: those of weight 128h + 32k + j into byte 32h + j, from bit 2k on. */
export function packBitPairs(codes: Uint8Array, target: Uint8Array, at: number): void {
  target.fill(0, at, at + BLOCK_SIZE / 4);
  for (let i = 0; i < BLOCK_SIZE; i++) {
    target[at + 32 * (i >> 7) + (i & 31)]! |= (codes[i]! & 3) << (2 * ((i >> 5) & 3));
  }
}

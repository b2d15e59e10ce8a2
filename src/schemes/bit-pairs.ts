const BLOCK_SIZE = 256;

/** The two low bits of weight 128h + 32k + j of a super-block lie in byte 32h + j, from bit 2k on. */
export function bitPair(source: Uint8Array, at: number, i: number): number {
  return (source[at + 32 * (i >> 7) + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3;
}

/** Exchanges one of the pairs that `packBitPairs` has packed. */
export function setBitPair(target: Uint8Array, at: number, i: number, pair: number): void {
  const byte = at + 32 * (i >> 7) + (i & 31);
  const shift = 2 * ((i >> 5) & 3);
  target[byte] = (target[byte]! & ~(3 << shift)) | (pair << shift);
}

export function packBitPairs(codes: Uint8Array, target: Uint8Array, at: number): void {
  target.fill(0, at, at + BLOCK_SIZE / 4);
  for (let i = 0; i < BLOCK_SIZE; i++) {
    target[at + 32 * (i >> 7) + (i & 31)]! |= (codes[i]! & 3) << (2 * ((i >> 5) & 3));
  }
}

/** The two low bits of weight 128h + 32k + j of a super-block lie in byte 32h + j, from bit 2k on. */
export function bitPair(source: Uint8Array, at: number, i: number): number {
  return (source[at + 32 * (i >> 7) + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3;
}

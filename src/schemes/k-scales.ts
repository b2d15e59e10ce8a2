import { GROUP_SCALES, MIN, SCALE } from '../core/scheme-constants/q4_k.ts';
import { readUint16 } from './bits.ts';
import { fromHalf } from './half.ts';

/**
 * Scales and mins of Q4_K and Q5_K, which begin alike. Twelve bytes hold eight of each in 6 bits: the first
 * four in the low 6 bits of bytes 0-3 and 4-7, the others' low nibbles in bytes 8-11 and their high bit pairs
 * above the first.
 */
const { fround } = Math;

/** Step of group j of 8. */
export function stepOf(source: Uint8Array, block: number, j: number): number {
  return fround(fromHalf(readUint16(source, block + SCALE)) * scaleCode(source, block + GROUP_SCALES, j));
}

/** What group j of 8 lies below its codes. */
export function minOf(source: Uint8Array, block: number, j: number): number {
  return fround(fromHalf(readUint16(source, block + MIN)) * minCode(source, block + GROUP_SCALES, j));
}

function scaleCode(source: Uint8Array, at: number, j: number): number {
  if (j < 4) return source[at + j]! & 63;
  return (source[at + 4 + j]! & 15) | ((source[at + j - 4]! >> 6) << 4);
}

function minCode(source: Uint8Array, at: number, j: number): number {
  if (j < 4) return source[at + 4 + j]! & 63;
  return (source[at + 4 + j]! >> 4) | ((source[at + j]! >> 6) << 4);
}

import { bitsOf } from '../../../../src/schemes/bits.ts';

const ROUNDER = new Float32Array(1);
const ROUNDED = bitsOf(ROUNDER, 0, 1);

/**
 * Nearest integer, ties to even, for |value| < 2^22: adding 1.5 * 2^23 leaves it in the low mantissa bits.
 * Outside of that range the bits are what ggml takes too, so degenerate blocks keep its bytes.
 */
export function nearestInt(value: number): number {
  ROUNDER[0] = value + 12582912;
  return (ROUNDED[0]! & 0x7fffff) - 0x400000;
}

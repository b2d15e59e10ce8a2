import { readUint16, writeUint16 } from './bits.ts';
import { roundToByte } from './byte-casts.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';
import { largestMagnitude } from './magnitude.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 54;
const SCALE = 52;
const TRITS = 5;
/**
 * Stretches of bytes of a block: trit n of byte m of a stretch belongs to weight `weight` + n * bytes + m.
 */
const STRETCHES = [
  { byte: 0, bytes: 32, weight: 0, trits: 5 },
  { byte: 32, bytes: 16, weight: 160, trits: 5 },
  { byte: 48, bytes: 4, weight: 240, trits: 4 },
] as const;
const { fround } = Math;

/**
 * Blocks of 256: 52 bytes of ternary codes q, then an f16 scale d; a weight is d * (q - 1). Five trits t make
 * the number t0 t1 t2 t3 t4 of base 3, below 243, stored as a fraction of 256 rounded up, so that a trit is
 * the carry of a multiplication by 3; the last four bytes hold four trits. The bytes of
 * `quantize_row_tq1_0_ref` of ggml-quants.c: d = max |x|, weights are rounded to -d, 0 or d.
 */
export const tq1_0: Codec = {
  scheme: 'TQ1_0',
  decode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = fromHalf(readUint16(source, block + SCALE));
      for (const { byte, bytes, weight, trits } of STRETCHES) {
        for (let m = 0; m < bytes; m++) {
          let fraction = source[block + byte + m]!;
          for (let n = 0; n < trits; n++) {
            target[targetOffset + i + weight + n * bytes + m] = d * (((3 * fraction) >> 8) - 1);
            fraction = (3 * fraction) & 255;
          }
        }
      }
    }
  },
  encode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const first = sourceOffset + i;
      const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = largestMagnitude(source, first, BLOCK_SIZE);
      const inverse = d === 0 ? 0 : fround(1 / d);
      for (const { byte, bytes, weight, trits } of STRETCHES) {
        for (let m = 0; m < bytes; m++) {
          let number = 0;
          for (let n = 0; n < TRITS; n++) {
            number *= 3;
            if (n < trits) {
              number += roundToByte(fround(source[first + weight + n * bytes + m]! * inverse)) + 1;
            }
          }
          target[block + byte + m] = Math.ceil(((number & 255) * 256) / 243);
        }
      }
      writeUint16(target, block + SCALE, toHalf(d));
    }
  },
};

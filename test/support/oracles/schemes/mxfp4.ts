import { BLOCK_BYTES, BLOCK_SIZE, CODES, EXPONENT } from '../../../../src/core/scheme-constants/mxfp4.ts';
import { bitsOf } from '../../../../src/schemes/bits.ts';
import { DOUBLED_VALUES, halfScaleOf } from '../../../../src/schemes/mxfp4.ts';
import type { SchemeOracle } from './encoder.ts';
import { extremeOf } from './magnitude.ts';
import { packNibbles } from './packed-codes.ts';

const SCALE = new Float32Array(1);
const SCALE_BITS = bitsOf(SCALE, 0, 1);
const { fround } = Math;

/**
 * The bytes of `quantize_row_mxfp4_ref` of ggml-quants.c: e = floor(log2(max |x|)) + 125, and each code is
 * the nearest, the first of two.
 */
export const mxfp4: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count) {
    const codes = new Uint8Array(BLOCK_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const first = sourceOffset + i;
      const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      target[block + EXPONENT] = exponentFor(Math.abs(extremeOf(source, first, BLOCK_SIZE)));
      const d = halfScaleOf(target[block + EXPONENT]!);
      for (let j = 0; j < BLOCK_SIZE; j++) codes[j] = nearestCode(source[first + j]!, d);
      packNibbles(codes, target, block + CODES);
    }
  },
};

/**
 * The low byte of floorf(log2f(magnitude)) + 125; infinity counts as 0. log2f rounds: what is within half a
 * unit in the last place of an integer k is k, so that a magnitude just below 2^k counts as 2^k.
 */
function exponentFor(magnitude: number): number {
  if (magnitude === 0 || magnitude === Number.POSITIVE_INFINITY) return 0;
  SCALE[0] = magnitude;
  const bits = SCALE_BITS[0]!;
  const exponent = bits < 0x800000 ? -118 - Math.clz32(bits) : (bits >> 23) - 127;
  // The logarithm lies between `exponent` and the integer above it: this is the power of two below both in
  // magnitude.
  const binade = 31 - Math.clz32(exponent < 0 ? ~exponent : exponent);
  const above = 2 ** (exponent + 1);
  const isAbove = above - magnitude < above * Math.LN2 * 2 ** (binade - 24);
  return (exponent + (isAbove ? 126 : 125)) & 255;
}

function nearestCode(value: number, d: number): number {
  let nearest = 0;
  let least = Math.abs(value);
  for (let code = 1; code < 16; code++) {
    const error = Math.abs(fround(fround(DOUBLED_VALUES[code]! * d) - value));
    if (error < least) {
      nearest = code;
      least = error;
    }
  }
  return nearest;
}

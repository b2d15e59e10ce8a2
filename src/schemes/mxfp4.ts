import { bitsOf } from './bits.ts';
import type { Codec } from './codec.ts';
import { extremeOf } from './magnitude.ts';
import { packNibbles, unpackNibbles } from './nibbles.ts';

const BLOCK_SIZE = 32;
const BLOCK_BYTES = 17;
const CODES = 1;
const SCALE = new Float32Array(1);
const SCALE_BITS = bitsOf(SCALE, 0, 1);
/** Twice the values of e2m1. The second zero is never written. */
const VALUES = Int8Array.of(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
const { fround } = Math;

/**
 * OCP microscaling, blocks of 32: an exponent e of 8 bits, then 16 bytes of e2m1 codes; a weight is 2^(e -
 * 128) times the value of its code. The bytes of `quantize_row_mxfp4_ref` of ggml-quants.c: e =
 * floor(log2(max |x|)) + 125, and each code is the nearest, the first of two.
 */
export const mxfp4: Codec = {
  scheme: 'MXFP4',
  decode(source, sourceOffset, target, targetOffset, count) {
    const codes = new Uint8Array(BLOCK_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      const d = scaleOf(source[block]!);
      unpackNibbles(source, block + CODES, codes);
      for (let j = 0; j < BLOCK_SIZE; j++) target[targetOffset + i + j] = d * VALUES[codes[j]!]!;
    }
  },
  encode(source, sourceOffset, target, targetOffset, count) {
    const codes = new Uint8Array(BLOCK_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const first = sourceOffset + i;
      const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      target[block] = exponentFor(Math.abs(extremeOf(source, first, BLOCK_SIZE)));
      const d = scaleOf(target[block]!);
      for (let j = 0; j < BLOCK_SIZE; j++) codes[j] = nearestCode(source[first + j]!, d);
      packNibbles(codes, 0, target, block + CODES);
    }
  },
};

/** 2^(e - 128): half of what e stands for, as VALUES are doubled. */
function scaleOf(exponent: number): number {
  SCALE_BITS[0] = exponent < 2 ? 0x200000 << exponent : (exponent - 1) << 23;
  return SCALE[0]!;
}

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
    const error = Math.abs(fround(fround(VALUES[code]! * d) - value));
    if (error < least) {
      nearest = code;
      least = error;
    }
  }
  return nearest;
}

import { readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';
import { nearestInt } from './nearest-int.ts';
import { packNibbles, setNibble, unpackNibbles } from './nibbles.ts';
import { sumOfSquares, weighBySquares, weighErrors } from './search/error-weights.ts';
import { fitIq4, IQ4_VALUES, iq4Code } from './search/iq4-scale.ts';
import { clampSigned } from './search/signed-scale.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 136;
const GROUP_SIZE = 32;
const GROUPS = BLOCK_SIZE / GROUP_SIZE;
/** Group scales are -32..31. */
const SCALE_LIMIT = 32;
const SCALES_HIGH = 2;
const SCALES_LOW = 4;
const CODES = 8;
const { fround } = Math;

/**
 * Super-blocks of 256: an f16 scale d, 8 group scales s of 6 bits (16 bits of high pairs, then four bytes of
 * low nibbles), then 16 bytes of codes per group of 32; a weight is d * (s - 32) times the value of its code.
 * The bytes of `quantize_iq4_xs` of ggml-quants.c, whose errors are weighted with the variance of a
 * super-block, not of the row.
 */
export const iq4_xs: Codec = {
  scheme: 'IQ4_XS',
  weighs: true,
  decode(source, sourceOffset, target, targetOffset, count) {
    const codes = new Uint8Array(GROUP_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const block = sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      for (let group = 0; group < GROUPS; group++) {
        const step = stepOf(source, block, group);
        unpackNibbles(source, block + CODES + 16 * group, codes);
        const first = targetOffset + i + GROUP_SIZE * group;
        for (let j = 0; j < GROUP_SIZE; j++) target[first + j] = step * IQ4_VALUES[codes[j]!]!;
      }
    }
  },
  encode(source, sourceOffset, target, targetOffset, count, importance) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
      encodeBlock(x, importance?.subarray(i), target, targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES);
    }
  },
  grid: {
    largestCode: 15,
    levels: IQ4_VALUES,
    stepOf: (source, block, group) => stepOf(source, block, group >> 1),
    minOf: () => 0,
    setCode(target, block, index, code) {
      setNibble(target, block + CODES + 16 * (index >> 5), index & 31, code);
    },
  },
};

function stepOf(source: Uint8Array, block: number, group: number): number {
  const high = (readUint16(source, block + SCALES_HIGH) >> (2 * group)) & 3;
  const low = (source[block + SCALES_LOW + (group >> 1)]! >> (4 * (group & 1))) & 15;
  return fround(fromHalf(readUint16(source, block)) * ((low | (high << 4)) - SCALE_LIMIT));
}

function encodeBlock(
  x: Float32Array,
  importance: Float32Array | undefined,
  target: Uint8Array,
  block: number,
): void {
  const scales = fitGroups(x, importance);
  let extreme = 0;
  for (const scale of scales) {
    if (Math.abs(scale) > Math.abs(extreme)) extreme = scale;
  }
  const d = fround(-extreme / SCALE_LIMIT);
  const inverse = d === 0 ? 0 : fround(1 / d);
  writeUint16(target, block, toHalf(d));
  target.fill(0, block + SCALES_HIGH, block + CODES);
  const codes = new Uint8Array(GROUP_SIZE);
  let high = 0;
  for (let group = 0; group < GROUPS; group++) {
    const scale = clampSigned(nearestInt(fround(inverse * scales[group]!)), SCALE_LIMIT);
    target[block + SCALES_LOW + (group >> 1)]! |= ((scale + SCALE_LIMIT) & 15) << (4 * (group & 1));
    high |= ((scale + SCALE_LIMIT) >> 4) << (2 * group);
    const step = fround(d * scale);
    const inverseStep = step === 0 ? 0 : fround(1 / step);
    const first = GROUP_SIZE * group;
    for (let j = 0; j < GROUP_SIZE; j++) codes[j] = iq4Code(fround(inverseStep * x[first + j]!));
    packNibbles(codes, 0, target, block + CODES + 16 * group);
  }
  writeUint16(target, block + SCALES_HIGH, high);
}

function fitGroups(x: Float32Array, importance: Float32Array | undefined): Float32Array {
  const weights = new Float32Array(GROUP_SIZE);
  const variance = fround(sumOfSquares(x, 0, BLOCK_SIZE) * (2 / BLOCK_SIZE));
  return Float32Array.from({ length: GROUPS }, (_, group) => {
    const first = GROUP_SIZE * group;
    if (importance === undefined) weighBySquares(x, first, weights);
    else weighErrors(x, first, importance.subarray(first), variance, weights);
    return fitIq4(x, first, weights);
  });
}

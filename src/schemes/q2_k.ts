import { bitPair, packBitPairs, setBitPair } from './bit-pairs.ts';
import { readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';
import { nearestInt } from './nearest-int.ts';
import { OffsetGroups, type OffsetScheme } from './search/offset-groups.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 84;
const GROUP_SIZE = 16;
const GROUPS = BLOCK_SIZE / GROUP_SIZE;
const CODES = 16;
const SUPER_SCALE = 80;
const SUPER_MIN = 82;
const LARGEST_SCALE = 15;
const { fround } = Math;

const FIT: OffsetScheme = {
  groupSize: GROUP_SIZE,
  largestCode: 3,
  largestScale: LARGEST_SCALE,
  search: { from: -0.5, step: fround(0.1), steps: 15, absolute: true },
  weigh(x, first, weights) {
    for (let i = 0; i < weights.length; i++) weights[i] = Math.abs(x[first + i]!);
  },
  varianceShare: 1,
};

/**
 * Super-blocks of 256 in groups of 16: 16 bytes with a scale s in the low and a min m in the high nibble, 64
 * bytes of bit pairs q, halves d and dmin; a weight is d * s * q - dmin * m. The bytes of `quantize_q2_K` of
 * ggml-quants.c.
 */
export const q2_k: Codec = {
  scheme: 'Q2_K',
  weighs: true,
  decode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      decodeBlock(source, sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES, target, targetOffset + i);
    }
  },
  encode(source, sourceOffset, target, targetOffset, count, importance) {
    const groups = new OffsetGroups(FIT);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
      encodeBlock(groups, x, importance?.subarray(i), target, targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES);
    }
  },
  grid: {
    largestCode: FIT.largestCode,
    stepOf,
    minOf,
    setCode: (target, block, index, code) => setBitPair(target, block + CODES, index, code),
  },
};

function stepOf(source: Uint8Array, block: number, group: number): number {
  return fround(fromHalf(readUint16(source, block + SUPER_SCALE)) * (source[block + group]! & 15));
}

function minOf(source: Uint8Array, block: number, group: number): number {
  return fround(fromHalf(readUint16(source, block + SUPER_MIN)) * (source[block + group]! >> 4));
}

function decodeBlock(source: Uint8Array, block: number, target: Float32Array, first: number): void {
  for (let i = 0; i < BLOCK_SIZE; i++) {
    const code = bitPair(source, block + CODES, i);
    target[first + i] = fround(stepOf(source, block, i >> 4) * code) - minOf(source, block, i >> 4);
  }
}

function encodeBlock(
  groups: OffsetGroups,
  x: Float32Array,
  importance: Float32Array | undefined,
  target: Uint8Array,
  block: number,
): void {
  const [d, dmin] = importance === undefined ? fitPlain(groups, x) : fitWeighted(groups, x, importance);
  for (let group = 0; group < GROUPS; group++) {
    target[block + group] = groups.scaleCodes[group]! | (groups.minCodes[group]! << 4);
    // A byte holds both, so that a scale of more than four bits, which is negative, would alter its min.
    groups.scaleCodes[group] = target[block + group]! & 15;
    groups.minCodes[group] = target[block + group]! >> 4;
  }
  writeUint16(target, block + SUPER_SCALE, d);
  writeUint16(target, block + SUPER_MIN, dmin);
  groups.encode(x, fromHalf(d), fromHalf(dmin));
  packBitPairs(groups.codes, target, block + CODES);
}

/** The largest scale and min get the largest code. */
function fitPlain(groups: OffsetGroups, x: Float32Array): [d: number, dmin: number] {
  const { maxScale, maxMin } = groups.fitPlain(x);
  groups.scaleCodes.fill(0);
  groups.minCodes.fill(0);
  const inverse = fround(LARGEST_SCALE / maxScale);
  const inverseMin = fround(LARGEST_SCALE / maxMin);
  for (let group = 0; group < GROUPS; group++) {
    if (maxScale > 0) groups.scaleCodes[group] = nearestInt(fround(inverse * groups.scales[group]!));
    if (maxMin > 0) groups.minCodes[group] = nearestInt(fround(inverseMin * groups.mins[group]!));
  }
  const half = (max: number) => (max > 0 ? toHalf(fround(max / LARGEST_SCALE)) : 0);
  return [half(maxScale), half(maxMin)];
}

function fitWeighted(
  groups: OffsetGroups,
  x: Float32Array,
  importance: Float32Array,
): [d: number, dmin: number] {
  const { d, dmin } = groups.fitWeighted(x, importance);
  return [toHalf(d), toHalf(dmin)];
}

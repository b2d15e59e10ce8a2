import {
  BIT_PAIRS,
  BLOCK_BYTES,
  BLOCK_SIZE,
  GROUP_SIZE,
  LARGEST_CODE,
  LARGEST_SCALE,
  MIN,
  SCALE,
  SEARCH_FROM,
  SEARCH_STEP,
  SEARCH_STEPS,
} from '../../../../src/core/scheme-constants/q2_k.ts';
import { writeUint16 } from '../../../../src/schemes/bits.ts';
import { fromHalf, toHalf } from '../../../../src/schemes/half.ts';
import { minOf, stepOf } from '../../../../src/schemes/q2_k.ts';
import { packBitPairs, setBitPair } from './bit-pairs.ts';
import type { SchemeOracle } from './encoder.ts';
import { nearestInt } from './nearest-int.ts';
import { OffsetGroups, type OffsetScheme } from './search/offset-groups.ts';

const GROUPS = BLOCK_SIZE / GROUP_SIZE;
const { fround } = Math;

const FIT: OffsetScheme = {
  groupSize: GROUP_SIZE,
  largestCode: LARGEST_CODE,
  largestScale: LARGEST_SCALE,
  search: { from: SEARCH_FROM, step: fround(SEARCH_STEP), steps: SEARCH_STEPS, absolute: true },
  weigh(x, first, weights) {
    for (let i = 0; i < weights.length; i++) weights[i] = Math.abs(x[first + i]!);
  },
  varianceShare: 1,
};

/** The bytes of `quantize_q2_K` of ggml-quants.c. */
export const q2_k: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count, importance) {
    const groups = new OffsetGroups(FIT);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
      encodeBlock(groups, x, importance?.subarray(i), target, targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES);
    }
  },
  grid: {
    largestCode: LARGEST_CODE,
    stepOf,
    minOf,
    setCode: (target, block, index, code) => setBitPair(target, block + BIT_PAIRS, index, code),
  },
};

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
  writeUint16(target, block + SCALE, d);
  writeUint16(target, block + MIN, dmin);
  groups.encode(x, fromHalf(d), fromHalf(dmin));
  packBitPairs(groups.codes, target, block + BIT_PAIRS);
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

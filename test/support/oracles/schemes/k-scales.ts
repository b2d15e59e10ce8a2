import { GROUP_SCALES, LARGEST_SCALE, MIN, SCALE } from '../../../../src/core/scheme-constants/q4_k.ts';
import { writeUint16 } from '../../../../src/schemes/bits.ts';
import { fromHalf, toHalf } from '../../../../src/schemes/half.ts';
import { nearestInt } from './nearest-int.ts';
import type { OffsetGroups } from './search/offset-groups.ts';

const { fround } = Math;

/**
 * Fits a super-block of Q4_K or Q5_K, and writes what both begin with: halves d and dmin, then the packed
 * scales and mins of the groups.
 */
export function encodeScaled(
  groups: OffsetGroups,
  x: Float32Array,
  importance: Float32Array | undefined,
  target: Uint8Array,
  block: number,
): void {
  const [d, dmin] = importance === undefined ? fitPlain(groups, x) : fitWeighted(groups, x, importance);
  writeUint16(target, block + SCALE, d);
  writeUint16(target, block + MIN, dmin);
  packScales(groups.scaleCodes, groups.minCodes, target, block + GROUP_SCALES);
  groups.encode(x, fromHalf(d), fromHalf(dmin));
}

/** The largest scale and min get the largest code. */
function fitPlain(groups: OffsetGroups, x: Float32Array): [d: number, dmin: number] {
  const { maxScale, maxMin } = groups.fitPlain(x);
  const inverse = maxScale > 0 ? fround(LARGEST_SCALE / maxScale) : 0;
  const inverseMin = maxMin > 0 ? fround(LARGEST_SCALE / maxMin) : 0;
  for (let group = 0; group < groups.scales.length; group++) {
    groups.scaleCodes[group] = code(fround(inverse * groups.scales[group]!));
    groups.minCodes[group] = code(fround(inverseMin * groups.mins[group]!));
  }
  return [toHalf(fround(maxScale / LARGEST_SCALE)), toHalf(fround(maxMin / LARGEST_SCALE))];
}

function fitWeighted(
  groups: OffsetGroups,
  x: Float32Array,
  importance: Float32Array,
): [d: number, dmin: number] {
  const { d, dmin } = groups.fitWeighted(x, importance);
  return [toHalf(d), toHalf(dmin)];
}

/** ggml keeps the code in a byte before it limits it, so that one of a negative scale becomes the largest. */
function code(scaled: number): number {
  return Math.min(LARGEST_SCALE, nearestInt(scaled) & 0xff);
}

/**
 * The twelve bytes of eight scales and eight mins of 6 bits: the first four of each in the low 6 bits of
 * bytes 0-3 and 4-7, the others' low nibbles in bytes 8-11 and their high bit pairs above the first.
 */
function packScales(scales: Uint8Array, mins: Uint8Array, target: Uint8Array, at: number): void {
  for (let j = 0; j < 4; j++) {
    const [scale, min] = [scales[j + 4]!, mins[j + 4]!] as const;
    target[at + j] = scales[j]! | ((scale >> 4) << 6);
    target[at + 4 + j] = mins[j]! | ((min >> 4) << 6);
    target[at + 8 + j] = (scale & 15) | ((min & 15) << 4);
  }
}

import {
  BLOCK_BYTES,
  BLOCK_SIZE,
  CODES,
  GROUP_SIZE,
  SCALE,
  SCALE_LIMIT,
  SCALES_HIGH,
  SCALES_LOW,
} from '../../../../src/core/scheme-constants/iq4_xs.ts';
import { writeUint16 } from '../../../../src/schemes/bits.ts';
import { toHalf } from '../../../../src/schemes/half.ts';
import { stepOf } from '../../../../src/schemes/iq4_xs.ts';
import { IQ4_VALUES } from '../../../../src/schemes/iq4-values.ts';
import type { SchemeOracle } from './encoder.ts';
import { nearestInt } from './nearest-int.ts';
import { packNibbles, setNibble } from './packed-codes.ts';
import { sumOfSquares, weighBySquares, weighErrors } from './search/error-weights.ts';
import { fitIq4, iq4Code } from './search/iq4-scale.ts';
import { clampSigned } from './search/signed-scale.ts';

const GROUPS = BLOCK_SIZE / GROUP_SIZE;
const { fround } = Math;

/**
 * The bytes of `quantize_iq4_xs` of ggml-quants.c, whose errors are weighted with the variance of a
 * super-block, not of the row.
 */
export const iq4_xs: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count, importance) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
      encodeBlock(x, importance?.subarray(i), target, targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES);
    }
  },
  grid: {
    largestCode: IQ4_VALUES.length - 1,
    levels: IQ4_VALUES,
    stepOf: (source, block, group) => stepOf(source, block, group >> 1),
    minOf: () => 0,
    setCode(target, block, index, code) {
      setNibble(target, block + CODES + 16 * (index >> 5), index & 31, code);
    },
  },
};

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
  writeUint16(target, block + SCALE, toHalf(d));
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
    packNibbles(codes, target, block + CODES + 16 * group);
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

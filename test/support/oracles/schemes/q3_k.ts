import {
  BIT_PAIRS,
  BLOCK_BYTES,
  BLOCK_SIZE,
  CODE_LIMIT,
  GROUP_SCALES,
  GROUP_SIZE,
  SCALE,
  SCALE_LIMIT,
} from '../../../../src/core/scheme-constants/q3_k.ts';
import { writeUint16 } from '../../../../src/schemes/bits.ts';
import { fromHalf, toHalf } from '../../../../src/schemes/half.ts';
import { stepOf } from '../../../../src/schemes/q3_k.ts';
import { packBitPairs, setBitPair } from './bit-pairs.ts';
import type { SchemeOracle } from './encoder.ts';
import { nearestInt } from './nearest-int.ts';
import { setBit } from './packed-codes.ts';
import { fitByCoordinates } from './search/coordinate-scale.ts';
import { sumOfSquares, weighErrors } from './search/error-weights.ts';
import { clampSigned, fitSigned } from './search/signed-scale.ts';

const GROUPS = BLOCK_SIZE / GROUP_SIZE;
const { fround } = Math;

/** The bytes of `quantize_q3_K` of ggml-quants.c. */
export const q3_k: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count, importance) {
    const work = new Workspace();
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
      encodeBlock(work, x, importance?.subarray(i), target, targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES);
    }
  },
  grid: {
    largestCode: 2 * CODE_LIMIT - 1,
    stepOf,
    minOf: (source, block, group) => fround(CODE_LIMIT * stepOf(source, block, group)),
    setCode(target, block, index, code) {
      setBitPair(target, block + BIT_PAIRS, index, code & 3);
      setBit(target, block + (index & 31), index >> 5, code >> 2);
    },
  },
};

class Workspace {
  /** Offset by CODE_LIMIT. */
  readonly codes = new Uint8Array(BLOCK_SIZE);
  readonly scales = new Float32Array(GROUPS);
  /** Offset by SCALE_LIMIT. */
  readonly scaleCodes = new Uint8Array(GROUPS);
  readonly weights = new Float32Array(GROUP_SIZE);
  readonly weightSums = new Float32Array(GROUPS);
}

function encodeBlock(
  work: Workspace,
  x: Float32Array,
  importance: Float32Array | undefined,
  target: Uint8Array,
  block: number,
): void {
  const { codes, scaleCodes } = work;
  const half = toHalf(importance === undefined ? fitPlain(work, x) : fitWeighted(work, x, importance));
  writeUint16(target, block + SCALE, half);
  const d = fromHalf(half);
  packScales(scaleCodes, target, block + GROUP_SCALES);
  for (let group = 0; group < GROUPS; group++) {
    const step = fround(d * (scaleCodes[group]! - SCALE_LIMIT));
    // A group whose scale vanished keeps the codes of its own fit; they decode to zero all the same.
    if (step === 0) continue;
    for (let i = group * GROUP_SIZE; i < (group + 1) * GROUP_SIZE; i++) {
      codes[i] = clampSigned(nearestInt(fround(x[i]! / step)), CODE_LIMIT) + CODE_LIMIT;
    }
  }
  packBitPairs(codes, target, block + BIT_PAIRS);
  for (let j = 0; j < 32; j++) {
    let high = 0;
    for (let k = 0; k < 8; k++) high |= (codes[32 * k + j]! >> 2) << k;
    target[block + j] = high;
  }
}

/** The scale of largest magnitude gets the code -32. Returns d. */
function fitPlain({ codes, scales, scaleCodes }: Workspace, x: Float32Array): number {
  let magnitude = 0;
  let extreme = 0;
  for (let group = 0; group < GROUPS; group++) {
    scales[group] = fitByCoordinates(x, group * GROUP_SIZE, GROUP_SIZE, CODE_LIMIT, codes);
    if (Math.abs(scales[group]!) > magnitude) {
      magnitude = Math.abs(scales[group]!);
      extreme = scales[group]!;
    }
  }
  if (extreme === 0) {
    scaleCodes.fill(0);
    return 0;
  }
  const inverse = fround(-SCALE_LIMIT / extreme);
  for (let group = 0; group < GROUPS; group++) {
    // ggml keeps the code in a signed byte before it limits it.
    const code = (nearestInt(fround(inverse * scales[group]!)) << 24) >> 24;
    scaleCodes[group] = clampSigned(code, SCALE_LIMIT) + SCALE_LIMIT;
  }
  return fround(1 / inverse);
}

/** Groups are fitted by the importances of their weights, their scales by the sums of these. Returns d. */
function fitWeighted(work: Workspace, x: Float32Array, importance: Float32Array): number {
  const { codes, scales, scaleCodes, weights, weightSums } = work;
  const variance = fround(fround(2 * sumOfSquares(x, 0, BLOCK_SIZE)) / BLOCK_SIZE);
  for (let group = 0; group < GROUPS; group++) {
    const first = group * GROUP_SIZE;
    weighErrors(x, first, importance.subarray(first, first + GROUP_SIZE), variance, weights);
    weightSums[group] = weights.reduce((sum, weight) => fround(sum + weight), 0);
    scales[group] = fitSigned(x, first, GROUP_SIZE, CODE_LIMIT, weights, codes);
  }
  return fitSigned(scales, 0, GROUPS, SCALE_LIMIT, weightSums, scaleCodes);
}

/**
 * Scale j has its low nibble in the low (j < 8) or high half of byte j mod 8, its high pair in byte 8 + j mod
 * 4.
 */
function packScales(scaleCodes: Uint8Array, target: Uint8Array, at: number): void {
  target.fill(0, at, at + 12);
  for (let j = 0; j < GROUPS; j++) {
    target[at + (j & 7)]! |= (scaleCodes[j]! & 15) << (j < 8 ? 0 : 4);
    target[at + 8 + (j & 3)]! |= (scaleCodes[j]! >> 4) << (2 * (j >> 2));
  }
}

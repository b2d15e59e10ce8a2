import {
  BIT_PAIRS,
  BLOCK_BYTES,
  BLOCK_SIZE,
  CODE_LIMIT,
  GROUP_SCALES,
  GROUP_SIZE,
  SCALE,
} from '../../../../src/core/scheme-constants/q6_k.ts';
import { readUint16, writeUint16 } from '../../../../src/schemes/bits.ts';
import { fromHalf, toHalf } from '../../../../src/schemes/half.ts';
import { stepOf } from '../../../../src/schemes/q6_k.ts';
import { setBitPair } from './bit-pairs.ts';
import type { SchemeOracle } from './encoder.ts';
import { nearestInt } from './nearest-int.ts';
import { setHalf } from './packed-codes.ts';
import { NEGLIGIBLE } from './search/negligible.ts';
import { clampSigned, fitSigned } from './search/signed-scale.ts';

const GROUPS = BLOCK_SIZE / GROUP_SIZE;
const { fround } = Math;

/**
 * The bytes of `quantize_q6_K` of ggml-quants.c: each group's scale is the best of 19 tries by squared error
 * weighted with the importances or with x^2.
 */
export const q6_k: SchemeOracle = {
  encode(source, sourceOffset, target, targetOffset, count, importance) {
    const codes = new Uint8Array(BLOCK_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
      encodeBlock(x, importance?.subarray(i), codes, target, targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES);
    }
  },
  grid: {
    largestCode: 2 * CODE_LIMIT - 1,
    stepOf,
    minOf: (source, block, group) => fround(CODE_LIMIT * stepOf(source, block, group)),
    setCode(target, block, index, code) {
      const [half, quarter, lane] = [index >> 7, (index >> 5) & 3, index & 31];
      setHalf(target, block + 64 * half + 32 * (quarter & 1) + lane, quarter > 1, code & 15);
      setBitPair(target, block + BIT_PAIRS, index, code >> 4);
    },
  },
};

function encodeBlock(
  x: Float32Array,
  importance: Float32Array | undefined,
  codes: Uint8Array,
  target: Uint8Array,
  block: number,
): void {
  const scales = new Float32Array(GROUPS);
  let magnitude = 0;
  let extreme = 0;
  for (let group = 0; group < GROUPS; group++) {
    const first = group * GROUP_SIZE;
    const weights = importance?.subarray(first, first + GROUP_SIZE);
    const scale = fitSigned(x, first, GROUP_SIZE, CODE_LIMIT, weights, codes);
    scales[group] = scale;
    if (Math.abs(scale) > magnitude) {
      magnitude = Math.abs(scale);
      extreme = scale;
    }
  }
  if (magnitude < NEGLIGIBLE) {
    target.fill(0, block, block + BLOCK_BYTES);
    return;
  }
  const inverse = fround(-128 / extreme);
  writeUint16(target, block + SCALE, toHalf(fround(1 / inverse)));
  const d = fromHalf(readUint16(target, block + SCALE));
  for (let group = 0; group < GROUPS; group++) {
    const scale = (Math.min(127, nearestInt(fround(inverse * scales[group]!))) << 24) >> 24;
    target[block + GROUP_SCALES + group] = scale;
    const step = fround(d * scale);
    // A group whose scale vanished keeps the codes of its own fit; they decode to zero all the same.
    if (step === 0) continue;
    for (let i = group * GROUP_SIZE; i < (group + 1) * GROUP_SIZE; i++) {
      codes[i] = clampSigned(nearestInt(fround(x[i]! / step)), CODE_LIMIT) + CODE_LIMIT;
    }
  }
  pack(codes, target, block);
}

function pack(codes: Uint8Array, target: Uint8Array, block: number): void {
  for (let half = 0; half < 2; half++) {
    for (let lane = 0; lane < 32; lane++) {
      const first = 128 * half + lane;
      const [a, b, c, d] = [
        codes[first]!,
        codes[first + 32]!,
        codes[first + 64]!,
        codes[first + 96]!,
      ] as const;
      target[block + 64 * half + lane] = (a & 15) | ((c & 15) << 4);
      target[block + 64 * half + 32 + lane] = (b & 15) | ((d & 15) << 4);
      target[block + BIT_PAIRS + 32 * half + lane] =
        (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((d >> 4) << 6);
    }
  }
}

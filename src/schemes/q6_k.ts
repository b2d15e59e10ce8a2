import { setBitPair } from './bit-pairs.ts';
import { readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';
import { nearestInt } from './nearest-int.ts';
import { setHalf } from './nibbles.ts';
import { NEGLIGIBLE } from './search/negligible.ts';
import { clampSigned, fitSigned } from './search/signed-scale.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 210;
/** Weights that share one signed 8-bit scale. */
const GROUP_SIZE = 16;
const GROUPS = BLOCK_SIZE / GROUP_SIZE;
/** Codes are -32..31. */
const CODE_LIMIT = 32;
const HIGH_BITS = 128;
const GROUP_SCALES = 192;
const SUPER_SCALE = 208;
const { fround } = Math;

/**
 * Super-blocks of 256: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed group scales s, an f16
 * scale d; a weight is d * s * q, q in -32..31. The bytes of `quantize_q6_K` of ggml-quants.c: each group's
 * scale is the best of 19 tries by squared error weighted with the importances or with x^2.
 */
export const q6_k: Codec = {
  scheme: 'Q6_K',
  weighs: true,
  decode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      decodeBlock(source, sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES, target, targetOffset + i);
    }
  },
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
      setBitPair(target, block + HIGH_BITS, index, code >> 4);
    },
  },
};

function stepOf(source: Uint8Array, block: number, group: number): number {
  const scale = (source[block + GROUP_SCALES + group]! << 24) >> 24;
  return fround(fromHalf(readUint16(source, block + SUPER_SCALE)) * scale);
}

/** Weight 128h + 32k + l has its low nibble in byte 64h + 32(k mod 2) + l, its high bits in byte 32h + l. */
function decodeBlock(source: Uint8Array, block: number, target: Float32Array, first: number): void {
  for (let i = 0; i < BLOCK_SIZE; i++) {
    const half = i >> 7;
    const quarter = (i >> 5) & 3;
    const lane = i & 31;
    const low = source[block + 64 * half + 32 * (quarter & 1) + lane]! >> (4 * (quarter >> 1));
    const high = source[block + HIGH_BITS + 32 * half + lane]! >> (2 * quarter);
    target[first + i] = stepOf(source, block, i >> 4) * (((low & 15) | ((high & 3) << 4)) - CODE_LIMIT);
  }
}

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
  writeUint16(target, block + SUPER_SCALE, toHalf(fround(1 / inverse)));
  const d = fromHalf(readUint16(target, block + SUPER_SCALE));
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
      target[block + HIGH_BITS + 32 * half + lane] =
        (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((d >> 4) << 6);
    }
  }
}

import { bitsOf, readUint16, writeUint16 } from './bits.ts';
import type { Codec } from './codec.ts';
import { fromHalf, toHalf } from './half.ts';

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
/** Below this a group counts as zero: GROUP_MAX_EPS of ggml-quants.c. */
const NEGLIGIBLE = Math.fround(1e-15);
const { fround } = Math;

/**
 * Super-blocks of 256: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed group scales s, an f16 scale
 * d; a weight is d * s * q, q in -32..31. The bytes of `quantize_row_q6_K_ref` of ggml-quants.c: each group's scale
 * is the best of 19 tries by squared error weighted with x^2.
 */
export const q6_k: Codec = {
  scheme: 'Q6_K',
  decode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      decodeBlock(source, sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES, target, targetOffset + i);
    }
  },
  encode(source, sourceOffset, target, targetOffset, count) {
    const codes = new Uint8Array(BLOCK_SIZE);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
      encodeBlock(x, codes, target, targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES);
    }
  },
};

/** Weight 128h + 32k + l has its low nibble in byte 64h + 32(k mod 2) + l, its high bits in byte 32h + l. */
function decodeBlock(source: Uint8Array, block: number, target: Float32Array, first: number): void {
  const d = fromHalf(readUint16(source, block + SUPER_SCALE));
  for (let i = 0; i < BLOCK_SIZE; i++) {
    const half = i >> 7;
    const quarter = (i >> 5) & 3;
    const lane = i & 31;
    const low = source[block + 64 * half + 32 * (quarter & 1) + lane]! >> (4 * (quarter >> 1));
    const high = source[block + HIGH_BITS + 32 * half + lane]! >> (2 * quarter);
    const scale = (source[block + GROUP_SCALES + (i >> 4)]! << 24) >> 24;
    target[first + i] = fround(d * scale) * (((low & 15) | ((high & 3) << 4)) - CODE_LIMIT);
  }
}

function encodeBlock(x: Float32Array, codes: Uint8Array, target: Uint8Array, block: number): void {
  const scales = new Float32Array(GROUPS);
  let magnitude = 0;
  let extreme = 0;
  for (let group = 0; group < GROUPS; group++) {
    const scale = fitGroup(x, group * GROUP_SIZE, codes);
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
    if (step !== 0) quantizeGroup(x, group * GROUP_SIZE, codes, (value) => fround(value / step));
  }
  pack(codes, target, block);
}

/** Finds the scale of 16 weights, leaves their codes (offset by 32) in `codes`. `make_qx_quants` with rmse_type 1. */
function fitGroup(x: Float32Array, first: number, codes: Uint8Array): number {
  let magnitude = 0;
  let extreme = 0;
  for (let i = first; i < first + GROUP_SIZE; i++) {
    if (Math.abs(x[i]!) > magnitude) {
      magnitude = Math.abs(x[i]!);
      extreme = x[i]!;
    }
  }
  if (magnitude < NEGLIGIBLE) {
    codes.fill(0, first, first + GROUP_SIZE);
    return 0;
  }
  let bestInverse = fround(-CODE_LIMIT / extreme);
  let { sumXL, sumLL } = projectGroup(x, first, bestInverse);
  let scale = sumLL === 0 ? 0 : fround(sumXL / sumLL);
  let best = fround(scale * sumXL);
  for (let step = -9; step <= 9; step++) {
    if (step === 0) continue;
    const inverse = fround(-fround(CODE_LIMIT + fround(fround(0.1) * step)) / extreme);
    ({ sumXL, sumLL } = projectGroup(x, first, inverse));
    if (sumLL > 0 && fround(sumXL * sumXL) > fround(best * sumLL)) {
      scale = fround(sumXL / sumLL);
      best = fround(scale * sumXL);
      bestInverse = inverse;
    }
  }
  const inverse = bestInverse;
  quantizeGroup(x, first, codes, (value) => fround(inverse * value));
  return scale;
}

/** Sums of w x l and w l^2 over a group with codes l = nearest(inverse * x) and weights w = x^2. */
function projectGroup(x: Float32Array, first: number, inverse: number): { sumXL: number; sumLL: number } {
  let sumXL = 0;
  let sumLL = 0;
  for (let i = first; i < first + GROUP_SIZE; i++) {
    const value = x[i]!;
    const code = clampCode(nearestInt(fround(inverse * value)));
    const weight = fround(value * value);
    sumXL = fround(sumXL + fround(fround(weight * value) * code));
    sumLL = fround(sumLL + fround(fround(weight * code) * code));
  }
  return { sumXL, sumLL };
}

function quantizeGroup(
  x: Float32Array,
  first: number,
  codes: Uint8Array,
  scaled: (value: number) => number,
): void {
  for (let i = first; i < first + GROUP_SIZE; i++) {
    codes[i] = clampCode(nearestInt(scaled(x[i]!))) + CODE_LIMIT;
  }
}

function clampCode(code: number): number {
  return Math.max(-CODE_LIMIT, Math.min(CODE_LIMIT - 1, code));
}

const ROUNDER = new Float32Array(1);
const ROUNDED = bitsOf(ROUNDER, 0, 1);

/**
 * Nearest integer, ties to even, for |value| < 2^22: adding 1.5 * 2^23 leaves it in the low mantissa bits. Outside
 * of that range the bits are what ggml takes too, so degenerate blocks keep its bytes.
 */
function nearestInt(value: number): number {
  ROUNDER[0] = value + 12582912;
  return (ROUNDED[0]! & 0x7fffff) - 0x400000;
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

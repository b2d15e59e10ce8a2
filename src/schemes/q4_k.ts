import type { Codec } from './codec.ts';
import { encodeScaled, LARGEST_SCALE, minOf, stepOf } from './k-scales.ts';
import { setHalf } from './nibbles.ts';
import { OffsetGroups, type OffsetScheme, weighByMagnitude } from './search/offset-groups.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 144;
const GROUP_SIZE = 32;
const CODES = 16;
const { fround } = Math;

const GROUPS: OffsetScheme = {
  groupSize: GROUP_SIZE,
  largestCode: 15,
  largestScale: LARGEST_SCALE,
  search: { from: -1, step: fround(0.1), steps: 20 },
  weigh: weighByMagnitude,
  varianceShare: 2,
};

/**
 * Super-blocks of 256 in groups of 32: halves d and dmin, 12 bytes of 6-bit scales s and mins m, 128 bytes of
 * nibbles q; a weight is d * s * q - dmin * m. The bytes of `quantize_q4_K` of ggml-quants.c.
 */
export const q4_k: Codec = {
  scheme: 'Q4_K',
  weighs: true,
  decode(source, sourceOffset, target, targetOffset, count) {
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      decodeBlock(source, sourceOffset + (i / BLOCK_SIZE) * BLOCK_BYTES, target, targetOffset + i);
    }
  },
  encode(source, sourceOffset, target, targetOffset, count, importance) {
    const groups = new OffsetGroups(GROUPS);
    for (let i = 0; i < count; i += BLOCK_SIZE) {
      const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
      const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
      encodeScaled(groups, x, importance?.subarray(i), target, block);
      pack(groups.codes, target, block + CODES);
    }
  },
  grid: {
    largestCode: GROUPS.largestCode,
    stepOf: (source, block, group) => stepOf(source, block, group >> 1),
    minOf: (source, block, group) => minOf(source, block, group >> 1),
    setCode(target, block, index, code) {
      setHalf(target, block + CODES + 32 * (index >> 6) + (index & 31), (index & 32) !== 0, code);
    },
  },
};

/** Groups 2p and 2p + 1 share the 32 bytes from 32p on: the even one in the low nibbles. */
function decodeBlock(source: Uint8Array, block: number, target: Float32Array, first: number): void {
  for (let group = 0; group < BLOCK_SIZE / GROUP_SIZE; group++) {
    const step = stepOf(source, block, group);
    const min = minOf(source, block, group);
    const codes = block + CODES + 32 * (group >> 1);
    for (let j = 0; j < GROUP_SIZE; j++) {
      const code = (source[codes + j]! >> (4 * (group & 1))) & 15;
      target[first + group * GROUP_SIZE + j] = fround(step * code) - min;
    }
  }
}

function pack(codes: Uint8Array, target: Uint8Array, at: number): void {
  for (let pair = 0; pair < 4; pair++) {
    for (let j = 0; j < GROUP_SIZE; j++) {
      const first = 2 * GROUP_SIZE * pair + j;
      target[at + 32 * pair + j] = codes[first]! | (codes[first + GROUP_SIZE]! << 4);
    }
  }
}

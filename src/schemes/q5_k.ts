import type { Codec } from './codec.ts';
import { encodeScaled, LARGEST_SCALE, minOf, stepOf } from './k-scales.ts';
import { setBit, setHalf } from './nibbles.ts';
import { OffsetGroups, type OffsetScheme, weighByMagnitude } from './search/offset-groups.ts';

const BLOCK_SIZE = 256;
const BLOCK_BYTES = 176;
const GROUP_SIZE = 32;
const HIGH_BITS = 16;
const LOW_NIBBLES = 48;
const { fround } = Math;

const GROUPS: OffsetScheme = {
  groupSize: GROUP_SIZE,
  largestCode: 31,
  largestScale: LARGEST_SCALE,
  search: { from: -0.5, step: fround(0.1), steps: 15 },
  weigh: weighByMagnitude,
  varianceShare: 2,
};

/**
 * Super-blocks of 256 in groups of 32: halves d and dmin, 12 bytes of 6-bit scales s and mins m, 32 bytes
 * whose bit g is the fifth bit of group g, 128 bytes of nibbles; a weight is d * s * q - dmin * m, q in
 * 0..31. The bytes of `quantize_q5_K` of ggml-quants.c.
 */
export const q5_k: Codec = {
  scheme: 'Q5_K',
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
      pack(groups.codes, target, block);
    }
  },
  grid: {
    largestCode: GROUPS.largestCode,
    stepOf: (source, block, group) => stepOf(source, block, group >> 1),
    minOf: (source, block, group) => minOf(source, block, group >> 1),
    setCode(target, block, index, code) {
      const nibble = block + LOW_NIBBLES + 32 * (index >> 6) + (index & 31);
      setHalf(target, nibble, (index & 32) !== 0, code & 15);
      setBit(target, block + HIGH_BITS + (index & 31), index >> 5, code >> 4);
    },
  },
};

/** Groups 2p and 2p + 1 share the 32 bytes from 32p on: the even one in the low nibbles. */
function decodeBlock(source: Uint8Array, block: number, target: Float32Array, first: number): void {
  for (let group = 0; group < BLOCK_SIZE / GROUP_SIZE; group++) {
    const step = stepOf(source, block, group);
    const min = minOf(source, block, group);
    const nibbles = block + LOW_NIBBLES + 32 * (group >> 1);
    for (let j = 0; j < GROUP_SIZE; j++) {
      const low = (source[nibbles + j]! >> (4 * (group & 1))) & 15;
      const high = (source[block + HIGH_BITS + j]! >> group) & 1;
      target[first + group * GROUP_SIZE + j] = fround(step * (low | (high << 4))) - min;
    }
  }
}

function pack(codes: Uint8Array, target: Uint8Array, block: number): void {
  for (let j = 0; j < GROUP_SIZE; j++) {
    let high = 0;
    for (let pair = 0; pair < 4; pair++) {
      const first = 2 * GROUP_SIZE * pair + j;
      const [even, odd] = [codes[first]!, codes[first + GROUP_SIZE]!] as const;
      target[block + LOW_NIBBLES + 32 * pair + j] = (even & 15) | ((odd & 15) << 4);
      high |= ((even >> 4) | ((odd >> 4) << 1)) << (2 * pair);
    }
    target[block + HIGH_BITS + j] = high;
  }
}

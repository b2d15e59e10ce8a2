import * as q3_k from '../core/scheme-constants/q3_k.ts';
import {
  BIT_PAIRS,
  BLOCK_SIZE,
  CODE_LIMIT,
  GROUP_SCALES,
  SCALE,
  SCALE_LIMIT,
} from '../core/scheme-constants/q3_k.ts';
import { bitPair } from './bit-pairs.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { fromHalf } from './half.ts';

/** `dequantize_row_q3_K` of ggml-quants.c. */
export const decodeQ3_K = decoderOfBlocks(q3_k, (source, block, target, first) => {
  for (let i = 0; i < BLOCK_SIZE; i++) {
    const high = (source[block + (i & 31)]! >> (i >> 5)) & 1;
    const code = bitPair(source, block + BIT_PAIRS, i) | (high << 2);
    target[first + i] = stepOf(source, block, i >> 4) * (code - CODE_LIMIT);
  }
});

/** Step of group j of 16. */
export function stepOf(source: Uint8Array, block: number, j: number): number {
  const scale = scaleCode(source, block + GROUP_SCALES, j) - SCALE_LIMIT;
  return Math.fround(fromHalf(readUint16(source, block + SCALE)) * scale);
}

/**
 * Scale j has its low nibble in the low (j < 8) or high half of byte j mod 8, its high pair in byte 8 + j mod
 * 4.
 */
function scaleCode(source: Uint8Array, at: number, j: number): number {
  const low = (source[at + (j & 7)]! >> (j < 8 ? 0 : 4)) & 15;
  return low | (((source[at + 8 + (j & 3)]! >> (2 * (j >> 2))) & 3) << 4);
}

import * as q2_k from '../core/scheme-constants/q2_k.ts';
import { BIT_PAIRS, BLOCK_SIZE, MIN, SCALE } from '../core/scheme-constants/q2_k.ts';
import { bitPair } from './bit-pairs.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { fromHalf } from './half.ts';

const { fround } = Math;

/** `dequantize_row_q2_K` of ggml-quants.c. */
export const decodeQ2_K = decoderOfBlocks(q2_k, (source, block, target, first) => {
  for (let i = 0; i < BLOCK_SIZE; i++) {
    const code = bitPair(source, block + BIT_PAIRS, i);
    target[first + i] = fround(stepOf(source, block, i >> 4) * code) - minOf(source, block, i >> 4);
  }
});

/** Step of group j of 16. */
export function stepOf(source: Uint8Array, block: number, j: number): number {
  return fround(fromHalf(readUint16(source, block + SCALE)) * (source[block + j]! & 15));
}

/** What group j of 16 lies below its codes. */
export function minOf(source: Uint8Array, block: number, j: number): number {
  return fround(fromHalf(readUint16(source, block + MIN)) * (source[block + j]! >> 4));
}

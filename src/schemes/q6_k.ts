import * as q6_k from '../core/scheme-constants/q6_k.ts';
import { BIT_PAIRS, BLOCK_SIZE, CODE_LIMIT, GROUP_SCALES, SCALE } from '../core/scheme-constants/q6_k.ts';
import { bitPair } from './bit-pairs.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { fromHalf } from './half.ts';

/**
 * Weight 128h + 32k + l has its low nibble in byte 64h + 32(k mod 2) + l. `dequantize_row_q6_K` of
 * ggml-quants.c.
 */
export const decodeQ6_K = decoderOfBlocks(q6_k, (source, block, target, first) => {
  for (let i = 0; i < BLOCK_SIZE; i++) {
    const quarter = (i >> 5) & 3;
    const low = (source[block + 64 * (i >> 7) + (i & 63)]! >> (4 * (quarter >> 1))) & 15;
    const code = low | (bitPair(source, block + BIT_PAIRS, i) << 4);
    target[first + i] = stepOf(source, block, i >> 4) * (code - CODE_LIMIT);
  }
});

/** Step of group j of 16. */
export function stepOf(source: Uint8Array, block: number, j: number): number {
  const scale = (source[block + GROUP_SCALES + j]! << 24) >> 24;
  return Math.fround(fromHalf(readUint16(source, block + SCALE)) * scale);
}

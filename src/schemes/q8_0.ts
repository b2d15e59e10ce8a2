import * as q8_0 from '../core/scheme-constants/q8_0.ts';
import { BLOCK_SIZE, CODES, SCALE } from '../core/scheme-constants/q8_0.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { fromHalf } from './half.ts';

/** `dequantize_row_q8_0` of ggml-quants.c. */
export const decodeQ8_0 = decoderOfBlocks(q8_0, (source, block, target, first) => {
  const d = fromHalf(readUint16(source, block + SCALE));
  for (let j = 0; j < BLOCK_SIZE; j++) target[first + j] = d * ((source[block + CODES + j]! << 24) >> 24);
});

import * as tq2_0 from '../core/scheme-constants/tq2_0.ts';
import { BLOCK_SIZE, SCALE } from '../core/scheme-constants/tq2_0.ts';
import { bitPair } from './bit-pairs.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { fromHalf } from './half.ts';

/** `dequantize_row_tq2_0` of ggml-quants.c. */
export const decodeTQ2_0 = decoderOfBlocks(tq2_0, (source, block, target, first) => {
  const d = fromHalf(readUint16(source, block + SCALE));
  for (let i = 0; i < BLOCK_SIZE; i++) target[first + i] = d * (bitPair(source, block, i) - 1);
});

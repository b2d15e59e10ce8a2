import * as iq4_xs from '../core/scheme-constants/iq4_xs.ts';
import {
  BLOCK_SIZE,
  CODES,
  GROUP_SIZE,
  SCALE,
  SCALE_LIMIT,
  SCALES_HIGH,
  SCALES_LOW,
} from '../core/scheme-constants/iq4_xs.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { fromHalf } from './half.ts';
import { IQ4_VALUES } from './iq4-values.ts';
import { unpackNibbles } from './packed-codes.ts';

const codes = new Uint8Array(GROUP_SIZE);

/** `dequantize_row_iq4_xs` of ggml-quants.c. */
export const decodeIQ4_XS = decoderOfBlocks(iq4_xs, (source, block, target, first) => {
  for (let group = 0; group < BLOCK_SIZE / GROUP_SIZE; group++) {
    const step = stepOf(source, block, group);
    unpackNibbles(source, block + CODES + 16 * group, codes);
    const at = first + GROUP_SIZE * group;
    for (let j = 0; j < GROUP_SIZE; j++) target[at + j] = step * IQ4_VALUES[codes[j]!]!;
  }
});

/** Step of group j of 8. */
export function stepOf(source: Uint8Array, block: number, j: number): number {
  const high = (readUint16(source, block + SCALES_HIGH) >> (2 * j)) & 3;
  const low = (source[block + SCALES_LOW + (j >> 1)]! >> (4 * (j & 1))) & 15;
  return Math.fround(fromHalf(readUint16(source, block + SCALE)) * ((low | (high << 4)) - SCALE_LIMIT));
}

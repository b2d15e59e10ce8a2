import * as iq4_nl from '../core/scheme-constants/iq4_nl.ts';
import { BLOCK_SIZE, CODES, SCALE } from '../core/scheme-constants/iq4_nl.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { fromHalf } from './half.ts';
import { IQ4_VALUES } from './iq4-values.ts';
import { unpackNibbles } from './packed-codes.ts';

const codes = new Uint8Array(BLOCK_SIZE);

/** `dequantize_row_iq4_nl` of ggml-quants.c. */
export const decodeIQ4_NL = decoderOfBlocks(iq4_nl, (source, block, target, first) => {
  const d = fromHalf(readUint16(source, block + SCALE));
  unpackNibbles(source, block + CODES, codes);
  for (let j = 0; j < BLOCK_SIZE; j++) target[first + j] = d * IQ4_VALUES[codes[j]!]!;
});

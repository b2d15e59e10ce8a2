import * as mxfp4 from '../core/scheme-constants/mxfp4.ts';
import { BLOCK_SIZE, CODES, EXPONENT } from '../core/scheme-constants/mxfp4.ts';
import { bitsOf } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { unpackNibbles } from './packed-codes.ts';

/** Twice the values of e2m1. */
export const DOUBLED_VALUES = Int8Array.of(
  mxfp4.DOUBLED_0,
  mxfp4.DOUBLED_1,
  mxfp4.DOUBLED_2,
  mxfp4.DOUBLED_3,
  mxfp4.DOUBLED_4,
  mxfp4.DOUBLED_5,
  mxfp4.DOUBLED_6,
  mxfp4.DOUBLED_7,
  mxfp4.DOUBLED_8,
  mxfp4.DOUBLED_9,
  mxfp4.DOUBLED_10,
  mxfp4.DOUBLED_11,
  mxfp4.DOUBLED_12,
  mxfp4.DOUBLED_13,
  mxfp4.DOUBLED_14,
  mxfp4.DOUBLED_15,
);
const SCALE = new Float32Array(1);
const SCALE_BITS = bitsOf(SCALE, 0, 1);
const codes = new Uint8Array(BLOCK_SIZE);

/** `dequantize_row_mxfp4` of ggml-quants.c. */
export const decodeMXFP4 = decoderOfBlocks(mxfp4, (source, block, target, first) => {
  const d = halfScaleOf(source[block + EXPONENT]!);
  unpackNibbles(source, block + CODES, codes);
  for (let j = 0; j < BLOCK_SIZE; j++) target[first + j] = d * DOUBLED_VALUES[codes[j]!]!;
});

/** 2^(e - 128): half of what e stands for, as values are doubled. */
export function halfScaleOf(exponent: number): number {
  SCALE_BITS[0] = exponent < 2 ? 0x200000 << exponent : (exponent - 1) << 23;
  return SCALE[0]!;
}

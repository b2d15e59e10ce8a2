import * as tq1_0 from '../core/scheme-constants/tq1_0.ts';
import { FOURS, SCALE } from '../core/scheme-constants/tq1_0.ts';
import { readUint16 } from './bits.ts';
import { decoderOfBlocks } from './decoder.ts';
import { fromHalf } from './half.ts';

/**
 * Stretches of bytes of a block: trit n of byte m of a stretch belongs to weight `weight` + n * bytes + m.
 */
export const STRETCHES = [
  { byte: 0, bytes: 32, weight: 0, trits: 5 },
  { byte: 32, bytes: 16, weight: 160, trits: 5 },
  { byte: FOURS, bytes: 4, weight: 240, trits: 4 },
] as const;

/** `dequantize_row_tq1_0` of ggml-quants.c. */
export const decodeTQ1_0 = decoderOfBlocks(tq1_0, (source, block, target, first) => {
  const d = fromHalf(readUint16(source, block + SCALE));
  for (const { byte, bytes, weight, trits } of STRETCHES) {
    for (let m = 0; m < bytes; m++) {
      let fraction = source[block + byte + m]!;
      for (let n = 0; n < trits; n++) {
        target[first + weight + n * bytes + m] = d * (((3 * fraction) >> 8) - 1);
        fraction = (3 * fraction) & 255;
      }
    }
  }
});

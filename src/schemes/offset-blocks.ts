import { readUint16 } from './bits.ts';
import { type BlockConstants, type Decoder, decoderOfBlocks } from './decoder.ts';
import { fromHalf } from './half.ts';

interface OffsetBlocks extends BlockConstants {
  readonly SCALE: number;
  readonly OFFSET: number;
  readonly CODES: number;
}

/** Q4_1 or Q5_1. `dequantize_row_q4_1` and `q5_1` of ggml-quants.c. */
export function decoderOfOffsetBlocks(
  constants: OffsetBlocks,
  unpack: (source: Uint8Array, at: number, codes: Uint8Array) => void,
): Decoder {
  const { BLOCK_SIZE, SCALE, OFFSET, CODES } = constants;
  const codes = new Uint8Array(BLOCK_SIZE);
  return decoderOfBlocks(constants, (source, block, target, first) => {
    const d = fromHalf(readUint16(source, block + SCALE));
    const m = fromHalf(readUint16(source, block + OFFSET));
    unpack(source, block + CODES, codes);
    for (let j = 0; j < BLOCK_SIZE; j++) target[first + j] = Math.fround(d * codes[j]!) + m;
  });
}

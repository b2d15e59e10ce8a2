import { readUint16 } from './bits.ts';
import { type BlockConstants, type Decoder, decoderOfBlocks } from './decoder.ts';
import { fromHalf } from './half.ts';

interface SignedBlocks extends BlockConstants {
  readonly SCALE: number;
  readonly CODES: number;
  readonly CODE_LIMIT: number;
}

/** Q4_0 or Q5_0. `dequantize_row_q4_0` and `q5_0` of ggml-quants.c. */
export function decoderOfSignedBlocks(
  constants: SignedBlocks,
  unpack: (source: Uint8Array, at: number, codes: Uint8Array) => void,
): Decoder {
  const { BLOCK_SIZE, SCALE, CODES, CODE_LIMIT } = constants;
  const codes = new Uint8Array(BLOCK_SIZE);
  return decoderOfBlocks(constants, (source, block, target, first) => {
    const d = fromHalf(readUint16(source, block + SCALE));
    unpack(source, block + CODES, codes);
    for (let j = 0; j < BLOCK_SIZE; j++) target[first + j] = d * (codes[j]! - CODE_LIMIT);
  });
}

import { type BlockConstants, type Decoder, decoderOfBlocks } from './decoder.ts';
import { minOf, stepOf } from './k-scales.ts';

interface OffsetSuperBlocks extends BlockConstants {
  readonly GROUP_SIZE: number;
  readonly NIBBLES: number;
  /** Absent where codes have 4 bits. */
  readonly FIFTH_BITS?: number;
}

/**
 * Q4_K or Q5_K: groups 2p and 2p + 1 share the 32 bytes of nibbles from 32p on, the even one in the low ones.
 * `dequantize_row_q4_K` and `q5_K` of ggml-quants.c.
 */
export function decoderOfOffsetSuperBlocks(constants: OffsetSuperBlocks): Decoder {
  const { BLOCK_SIZE, GROUP_SIZE, NIBBLES, FIFTH_BITS } = constants;
  return decoderOfBlocks(constants, (source, block, target, first) => {
    for (let group = 0; group < BLOCK_SIZE / GROUP_SIZE; group++) {
      const step = stepOf(source, block, group);
      const min = minOf(source, block, group);
      const nibbles = block + NIBBLES + GROUP_SIZE * (group >> 1);
      for (let j = 0; j < GROUP_SIZE; j++) {
        const low = (source[nibbles + j]! >> (4 * (group & 1))) & 15;
        const fifth = FIFTH_BITS === undefined ? 0 : (source[block + FIFTH_BITS + j]! >> group) & 1;
        target[first + group * GROUP_SIZE + j] = Math.fround(step * (low | (fifth << 4))) - min;
      }
    }
  });
}

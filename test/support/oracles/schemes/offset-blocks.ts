import { readUint16, writeUint16 } from '../../../../src/schemes/bits.ts';
import { fromHalf, toHalf } from '../../../../src/schemes/half.ts';
import type { SchemeOracle } from './encoder.ts';
import type { CodePacking } from './packed-codes.ts';
import { meanSquare, weighErrors } from './search/error-weights.ts';
import { fitOffset, type OffsetFit, WEIGHTED_SEARCH } from './search/offset-scale.ts';
import { fitRange } from './search/range.ts';

interface OffsetBlocks {
  readonly BLOCK_SIZE: number;
  readonly BLOCK_BYTES: number;
  readonly SCALE: number;
  readonly OFFSET: number;
  readonly CODES: number;
  readonly LARGEST_CODE: number;
}

/**
 * Q4_1 or Q5_1. The bytes of `quantize_row_q4_1_impl` and `q5_1_impl` of ggml-quants.c: without importances the
 * codes span the range of the weights.
 */
export function offsetBlocks(constants: OffsetBlocks, packing: CodePacking): SchemeOracle {
  const { BLOCK_SIZE, BLOCK_BYTES, SCALE, OFFSET, CODES, LARGEST_CODE } = constants;
  return {
    encode(source, sourceOffset, target, targetOffset, count, importance) {
      const codes = new Uint8Array(BLOCK_SIZE);
      const weights = new Float32Array(BLOCK_SIZE);
      const fit: OffsetFit = { scale: 0, min: 0 };
      const variance = importance === undefined ? 0 : meanSquare(source, sourceOffset, count);
      for (let i = 0; i < count; i += BLOCK_SIZE) {
        const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
        if (importance === undefined) {
          fitRange(source, sourceOffset + i, LARGEST_CODE, codes, fit);
        } else {
          const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
          weighErrors(x, 0, importance.subarray(i), variance, weights);
          fitOffset(x, 0, weights, LARGEST_CODE, WEIGHTED_SEARCH, codes, fit);
        }
        writeUint16(target, block + SCALE, toHalf(fit.scale));
        writeUint16(target, block + OFFSET, toHalf(-fit.min));
        packing.pack(codes, target, block + CODES);
      }
    },
    grid: {
      largestCode: LARGEST_CODE,
      stepOf: (source, block) => fromHalf(readUint16(source, block + SCALE)),
      minOf: (source, block) => -fromHalf(readUint16(source, block + OFFSET)),
      setCode: (target, block, index, code) => packing.set(target, block + CODES, index, code),
    },
  };
}

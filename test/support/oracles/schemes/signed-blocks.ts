import { readUint16, writeUint16 } from '../../../../src/schemes/bits.ts';
import { fromHalf, toHalf } from '../../../../src/schemes/half.ts';
import type { SchemeOracle } from './encoder.ts';
import type { CodePacking } from './packed-codes.ts';
import { meanSquare, weighErrors } from './search/error-weights.ts';
import { fitExtreme } from './search/extreme.ts';
import { fitSigned } from './search/signed-scale.ts';

interface SignedBlocks {
  readonly BLOCK_SIZE: number;
  readonly BLOCK_BYTES: number;
  readonly SCALE: number;
  readonly CODES: number;
  readonly CODE_LIMIT: number;
}

/**
 * Q4_0 or Q5_0. The bytes of `quantize_row_q4_0_impl` and `q5_0_impl` of ggml-quants.c: without importances the
 * weight of largest magnitude gets the code 0.
 */
export function signedBlocks(constants: SignedBlocks, packing: CodePacking): SchemeOracle {
  const { BLOCK_SIZE, BLOCK_BYTES, SCALE, CODES, CODE_LIMIT } = constants;
  const stepOf = (source: Uint8Array, block: number) => fromHalf(readUint16(source, block + SCALE));
  return {
    encode(source, sourceOffset, target, targetOffset, count, importance) {
      const codes = new Uint8Array(BLOCK_SIZE);
      const weights = new Float32Array(BLOCK_SIZE);
      const variance = importance === undefined ? 0 : meanSquare(source, sourceOffset, count);
      for (let i = 0; i < count; i += BLOCK_SIZE) {
        const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
        let d: number;
        if (importance === undefined) {
          d = fitExtreme(source, sourceOffset + i, CODE_LIMIT, codes);
        } else {
          const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
          weighErrors(x, 0, importance.subarray(i), variance, weights);
          d = fitSigned(x, 0, BLOCK_SIZE, CODE_LIMIT, weights, codes);
        }
        writeUint16(target, block + SCALE, toHalf(d));
        packing.pack(codes, target, block + CODES);
      }
    },
    grid: {
      largestCode: 2 * CODE_LIMIT - 1,
      stepOf,
      minOf: (source, block) => CODE_LIMIT * stepOf(source, block),
      setCode: (target, block, index, code) => packing.set(target, block + CODES, index, code),
    },
  };
}

import { minOf, stepOf } from '../../../../src/schemes/k-scales.ts';
import type { SchemeOracle } from './encoder.ts';
import { encodeScaled } from './k-scales.ts';
import { setBit, setHalf } from './packed-codes.ts';
import { OffsetGroups, type OffsetScheme, weighByMagnitude } from './search/offset-groups.ts';

interface OffsetSuperBlocks {
  readonly BLOCK_SIZE: number;
  readonly BLOCK_BYTES: number;
  readonly GROUP_SIZE: number;
  readonly NIBBLES: number;
  /** Absent where codes have 4 bits. */
  readonly FIFTH_BITS?: number;
  readonly LARGEST_CODE: number;
  readonly LARGEST_SCALE: number;
  readonly SEARCH_FROM: number;
  readonly SEARCH_STEP: number;
  readonly SEARCH_STEPS: number;
}

/** Q4_K or Q5_K. The bytes of `quantize_q4_K` and `quantize_q5_K` of ggml-quants.c. */
export function offsetSuperBlocks(constants: OffsetSuperBlocks): SchemeOracle {
  const { BLOCK_SIZE, BLOCK_BYTES, GROUP_SIZE, NIBBLES, FIFTH_BITS, LARGEST_CODE } = constants;
  const scheme: OffsetScheme = {
    groupSize: GROUP_SIZE,
    largestCode: LARGEST_CODE,
    largestScale: constants.LARGEST_SCALE,
    search: {
      from: constants.SEARCH_FROM,
      step: Math.fround(constants.SEARCH_STEP),
      steps: constants.SEARCH_STEPS,
    },
    weigh: weighByMagnitude,
    varianceShare: 2,
  };
  const setCode = (target: Uint8Array, block: number, index: number, code: number) => {
    const nibble = block + NIBBLES + GROUP_SIZE * (index >> 6) + (index & 31);
    setHalf(target, nibble, (index & 32) !== 0, code & 15);
    if (FIFTH_BITS !== undefined) setBit(target, block + FIFTH_BITS + (index & 31), index >> 5, code >> 4);
  };
  return {
    encode(source, sourceOffset, target, targetOffset, count, importance) {
      const groups = new OffsetGroups(scheme);
      for (let i = 0; i < count; i += BLOCK_SIZE) {
        const x = source.subarray(sourceOffset + i, sourceOffset + i + BLOCK_SIZE);
        const block = targetOffset + (i / BLOCK_SIZE) * BLOCK_BYTES;
        encodeScaled(groups, x, importance?.subarray(i), target, block);
        groups.codes.forEach((code, index) => {
          setCode(target, block, index, code);
        });
      }
    },
    grid: {
      largestCode: LARGEST_CODE,
      stepOf: (source, block, group) => stepOf(source, block, group >> 1),
      minOf: (source, block, group) => minOf(source, block, group >> 1),
      setCode,
    },
  };
}

import { powerOfTwo } from '../core/elementary/binary-exponent.ts';
import { SCHEMES, type SchemeName } from '../core/scheme.ts';
import * as mxfp4 from '../core/scheme-constants/mxfp4.ts';
import { readUint16, writeUint16 } from './bits.ts';
import { fromHalf, toHalf } from './half.ts';

/** Largest exponent of a block of MXFP4: 255 stands for NaN. */
const MAX_EXPONENT = 254;

/** Whether `multiplyBlocks` knows the scheme: all of blocks but IQ1_M, which nothing writes. */
export function hasBlockScales(scheme: SchemeName): boolean {
  return scheme === 'MXFP4' || SCHEMES[scheme].halves.length > 0;
}

/**
 * Multiplies the weights of blocks by 2^exponent, from 1 up, in place: their scales change and their codes
 * stay, so that no weight is rounded. Gives false where a scale becomes too large.
 */
export function multiplyBlocks(scheme: SchemeName, blocks: Uint8Array, exponent: number): boolean {
  const { blockBytes, halves } = SCHEMES[scheme];
  for (let block = 0; block < blocks.length; block += blockBytes) {
    if (scheme === 'MXFP4') {
      const at = block + mxfp4.EXPONENT;
      const sum = blocks[at]! + exponent;
      if (sum > MAX_EXPONENT) return false;
      blocks[at] = sum;
      continue;
    }
    for (const place of halves) {
      const half = readUint16(blocks, block + place);
      const product = toHalf(fromHalf(half) * powerOfTwo(exponent));
      if (isFinite16(half) && !isFinite16(product)) return false;
      writeUint16(blocks, block + place, product);
    }
  }
  return true;
}

function isFinite16(half: number): boolean {
  return (half & 0x7c00) !== 0x7c00;
}

import { powerOfTwo } from '../core/elementary/binary-exponent.ts';
import { SCHEMES, type SchemeName } from '../core/scheme.ts';
import { readUint16, writeUint16 } from './bits.ts';
import { fromHalf, toHalf } from './half.ts';

/**
 * Where blocks have the f16 numbers that all of their weights are proportional to: scales, and minima where
 * there are any.
 */
const HALVES: Partial<Record<SchemeName, readonly number[]>> = {
  Q4_0: [0],
  Q4_1: [0, 2],
  Q5_0: [0],
  Q5_1: [0, 2],
  Q8_0: [0],
  Q2_K: [80, 82],
  Q3_K: [108],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
  IQ2_XXS: [0],
  IQ2_XS: [0],
  IQ2_S: [0],
  IQ3_XXS: [0],
  IQ3_S: [0],
  IQ1_S: [0],
  IQ4_NL: [0],
  IQ4_XS: [0],
  TQ1_0: [52],
  TQ2_0: [64],
};

/** Largest exponent of a block of MXFP4: 255 stands for NaN. */
const MAX_EXPONENT = 254;

/** Whether `multiplyBlocks` knows the scheme: all of blocks but IQ1_M, which nothing writes. */
export function hasBlockScales(scheme: SchemeName): boolean {
  return scheme === 'MXFP4' || HALVES[scheme] !== undefined;
}

/**
 * Multiplies the weights of blocks by 2^exponent, from 1 up, in place: their scales change and their codes
 * stay, so that no weight is rounded. Gives false where a scale becomes too large.
 */
export function multiplyBlocks(scheme: SchemeName, blocks: Uint8Array, exponent: number): boolean {
  const { blockBytes } = SCHEMES[scheme];
  for (let block = 0; block < blocks.length; block += blockBytes) {
    if (scheme === 'MXFP4') {
      const sum = blocks[block]! + exponent;
      if (sum > MAX_EXPONENT) return false;
      blocks[block] = sum;
      continue;
    }
    for (const place of HALVES[scheme]!) {
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

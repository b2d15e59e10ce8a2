import * as q4_1 from '../../../core/scheme-constants/q4_1';
import { BLOCK_SIZE, CODES, OFFSET, SCALE } from '../../../core/scheme-constants/q4_1';
import * as q5_1 from '../../../core/scheme-constants/q5_1';
import { loadHalf, splatHalf, storeHalf } from '../half';
import { sumOfSquares } from '../search/error-weights';
import { fitBlocks, fittedCodes, fittedOffset, fittedScale } from '../search/fit-blocks';
import { largestOf, smallestOf } from '../search/range';
import { storeOffset, truncatedCodes } from './codes';
import {
  FiveBits,
  FourBits,
  hasFifths,
  loadHighCodes,
  loadLowCodes,
  setCode,
  storeCodes,
} from './packed-codes';

/** Q4_1 and Q5_1, which begin alike: a scale, an offset, then codes from 0 up. */

export function decodeQ4_1(source: usize, target: usize, columns: i32): void {
  decode<FourBits>(source, target, columns);
}

export function decodeQ5_1(source: usize, target: usize, columns: i32): void {
  decode<FiveBits>(source, target, columns);
}

export function encodeQ4_1(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  encode<FourBits>(source, target, columns, scratch, importance);
}

export function encodeQ5_1(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  encode<FiveBits>(source, target, columns, scratch, importance);
}

export function setCodeOfQ4_1(block: usize, j: i32, code: i32): void {
  setCode<FourBits>(block + CODES, j, code);
}

export function setCodeOfQ5_1(block: usize, j: i32, code: i32): void {
  setCode<FiveBits>(block + CODES, j, code);
}

/** What a block of either lies below its codes. */
export function minOfBlock(block: usize): f32 {
  return -loadHalf(block + OFFSET);
}

function blockBytes<Bits>(): usize {
  return hasFifths<Bits>() ? q5_1.BLOCK_BYTES : q4_1.BLOCK_BYTES;
}

function largestCode<Bits>(): i32 {
  return hasFifths<Bits>() ? q5_1.LARGEST_CODE : q4_1.LARGEST_CODE;
}

function decode<Bits>(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source + SCALE);
    const min = f32x4.neg(splatHalf(source + OFFSET));
    storeOffset(target, loadLowCodes<Bits>(source + CODES), d, min);
    storeOffset(target + 64, loadHighCodes<Bits>(source + CODES), d, min);
    source += blockBytes<Bits>();
    target += 128;
  }
}

function encode<Bits>(source: usize, target: usize, columns: i32, scratch: usize, importance: usize): void {
  if (importance !== 0) {
    encodeWeighted<Bits>(source, target, columns, scratch, importance);
    return;
  }
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    encodePlain<Bits>(source, target);
    source += 128;
    target += blockBytes<Bits>();
  }
}

function encodeWeighted<Bits>(
  x: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  const variance: f32 = sumOfSquares(x, columns) / <f32>columns;
  for (let c = 0; c < columns; c += 4 * BLOCK_SIZE) {
    const blocks = min<i32>(4, (columns - c) / BLOCK_SIZE);
    const first = (<usize>c) << 2;
    fitBlocks(x + first, importance + first, variance, blocks, largestCode<Bits>(), scratch);
    for (let block: usize = 0; block < <usize>blocks; block++) {
      storeHalf(target + SCALE, fittedScale(scratch, block));
      storeHalf(target + OFFSET, fittedOffset(scratch, block));
      const codes = fittedCodes(scratch, block);
      storeCodes<Bits>(target + CODES, v128.load(codes), v128.load(codes, 16));
      target += blockBytes<Bits>();
    }
  }
}

function encodePlain<Bits>(x: usize, block: usize): void {
  const low = smallestOf(x);
  const high = largestOf(x);
  // Zeros of either sign are no range.
  const d: f32 = high === low ? 0 : (high - low) / <f32>largestCode<Bits>();
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  const base = f32x4.splat(low);
  const half = f32x4.splat(0.5);
  storeHalf(block + SCALE, d);
  storeHalf(block + OFFSET, low);
  const first = truncatedCodes(x, base, inverse, half);
  storeCodes<Bits>(block + CODES, first, truncatedCodes(x + 64, base, inverse, half));
}

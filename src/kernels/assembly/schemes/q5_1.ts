import { splatHalf, storeHalf } from '../half';
import { sumOfSquares } from '../search/error-weights';
import { fitBlocks, fittedCodes, fittedOffset, fittedScale } from '../search/offset-blocks';
import { largestOf, smallestOf } from '../search/range';
import { setFiveBits, storeOffset, truncatedCodes } from './codes';
import { loadFifthBits, storeFiveBits } from './fifth-bits';

const BLOCK_SIZE: i32 = 32;
const BLOCK_BYTES: usize = 24;
const OFFSET: usize = 2;
const FIFTH_BITS: usize = 4;
const NIBBLES: usize = 8;

export function decodeQ5_1(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source);
    const min = f32x4.neg(splatHalf(source + OFFSET));
    const pairs = v128.load(source, NIBBLES);
    const low = v128.or(v128.and(pairs, i8x16.splat(15)), loadFifthBits(source + FIFTH_BITS));
    const high = v128.or(i8x16.shr_u(pairs, 4), loadFifthBits(source + FIFTH_BITS + 2));
    storeOffset(target, low, d, min);
    storeOffset(target + 64, high, d, min);
    source += BLOCK_BYTES;
    target += 128;
  }
}

export function encodeQ5_1(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  if (importance !== 0) {
    encodeWeighted(source, target, columns, scratch, importance);
    return;
  }
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    encodePlain(source, target);
    source += 128;
    target += BLOCK_BYTES;
  }
}

function encodeWeighted(x: usize, target: usize, columns: i32, scratch: usize, importance: usize): void {
  const variance: f32 = sumOfSquares(x, columns) / <f32>columns;
  for (let c = 0; c < columns; c += 4 * BLOCK_SIZE) {
    const blocks = min<i32>(4, (columns - c) / BLOCK_SIZE);
    const first = (<usize>c) << 2;
    fitBlocks(x + first, importance + first, variance, blocks, 31, scratch);
    for (let block: usize = 0; block < <usize>blocks; block++) {
      storeHalf(target, fittedScale(scratch, block));
      storeHalf(target + OFFSET, fittedOffset(scratch, block));
      const codes = fittedCodes(scratch, block);
      storeFiveBits(target + FIFTH_BITS, v128.load(codes), v128.load(codes, 16));
      target += BLOCK_BYTES;
    }
  }
}

function encodePlain(x: usize, block: usize): void {
  const smallest = smallestOf(x);
  const largest = largestOf(x);
  // Zeros of either sign are no range.
  const d: f32 = largest === smallest ? 0 : (largest - smallest) / 31;
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  const base = f32x4.splat(smallest);
  const half = f32x4.splat(0.5);
  storeHalf(block, d);
  storeHalf(block + OFFSET, smallest);
  const low = truncatedCodes(x, base, inverse, half);
  const high = truncatedCodes(x + 64, base, inverse, half);
  storeFiveBits(block + FIFTH_BITS, low, high);
}

export function setCodeOfQ5_1(block: usize, j: i32, code: i32): void {
  setFiveBits(block + FIFTH_BITS, j, code);
}

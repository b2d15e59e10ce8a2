import { loadHalf, splatHalf, storeHalf } from '../half';
import { sumOfSquares } from '../search/error-weights';
import { fitBlocks, fittedCodes, fittedOffset, fittedScale } from '../search/offset-blocks';
import { largestOf, smallestOf } from '../search/range';
import { setNibble, storeOffset, truncatedCodes } from './codes';

const BLOCK_SIZE: i32 = 32;
const BLOCK_BYTES: usize = 20;
const OFFSET: usize = 2;
const NIBBLES: usize = 4;

export function decodeQ4_1(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source);
    const min = f32x4.neg(splatHalf(source + OFFSET));
    const pairs = v128.load(source, NIBBLES);
    storeOffset(target, v128.and(pairs, i8x16.splat(15)), d, min);
    storeOffset(target + 64, i8x16.shr_u(pairs, 4), d, min);
    source += BLOCK_BYTES;
    target += 128;
  }
}

export function encodeQ4_1(
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
    fitBlocks(x + first, importance + first, variance, blocks, 15, scratch);
    for (let block: usize = 0; block < <usize>blocks; block++) {
      storeHalf(target, fittedScale(scratch, block));
      storeHalf(target + OFFSET, fittedOffset(scratch, block));
      const codes = fittedCodes(scratch, block);
      pack(target, v128.load(codes), v128.load(codes, 16));
      target += BLOCK_BYTES;
    }
  }
}

function encodePlain(x: usize, block: usize): void {
  const smallest = smallestOf(x);
  const largest = largestOf(x);
  // Zeros of either sign are no range.
  const d: f32 = largest === smallest ? 0 : (largest - smallest) / 15;
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  const base = f32x4.splat(smallest);
  const half = f32x4.splat(0.5);
  storeHalf(block, d);
  storeHalf(block + OFFSET, smallest);
  pack(block, truncatedCodes(x, base, inverse, half), truncatedCodes(x + 64, base, inverse, half));
}

function pack(block: usize, low: v128, high: v128): void {
  v128.store(block, v128.or(low, i8x16.shl(high, 4)), NIBBLES);
}

export function minOfQ4_1(block: usize): f32 {
  return -loadHalf(block + OFFSET);
}

export function setCodeOfQ4_1(block: usize, j: i32, code: i32): void {
  setNibble(block + NIBBLES, j, code);
}

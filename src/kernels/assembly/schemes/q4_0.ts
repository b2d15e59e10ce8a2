import { loadHalf, splatHalf, storeHalf } from '../half';
import { sumOfSquares, weighErrors } from '../search/error-weights';
import { extremeOf } from '../search/magnitude';
import { fitSigned, SIGNED_SEARCH_BYTES } from '../search/signed-scale';
import { setNibble, storeScaled, truncatedCodes } from './codes';

const BLOCK_SIZE: i32 = 32;
const BLOCK_BYTES: usize = 18;
const NIBBLES: usize = 2;
/** Byte offsets in the encoder's scratch, behind the search. */
const WEIGHTS: usize = SIGNED_SEARCH_BYTES;
const CODES: usize = WEIGHTS + 128;

export function decodeQ4_0(source: usize, target: usize, columns: i32): void {
  const eight = i8x16.splat(8);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source);
    const pairs = v128.load(source, NIBBLES);
    storeScaled(target, i8x16.sub(v128.and(pairs, i8x16.splat(15)), eight), d);
    storeScaled(target + 64, i8x16.sub(i8x16.shr_u(pairs, 4), eight), d);
    source += BLOCK_BYTES;
    target += 128;
  }
}

export function encodeQ4_0(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  const variance: f32 = importance === 0 ? 0 : sumOfSquares(source, columns) / <f32>columns;
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    if (importance === 0) {
      encodePlain(source, target);
    } else {
      weighErrors(source, importance, variance, scratch + WEIGHTS, BLOCK_SIZE);
      storeHalf(target, fitSigned(source, BLOCK_SIZE, 8, scratch + WEIGHTS, scratch + CODES, scratch));
      pack(target, v128.load(scratch, CODES), v128.load(scratch, CODES + 16));
      importance += 128;
    }
    source += 128;
    target += BLOCK_BYTES;
  }
}

function encodePlain(x: usize, block: usize): void {
  const d = extremeOf(x, BLOCK_SIZE) / -8;
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  storeHalf(block, d);
  pack(block, codes(x, inverse), codes(x + 64, inverse));
}

/** 16, the code of the opposite of the extreme, becomes 15. */
function codes(x: usize, inverse: v128): v128 {
  return i8x16.min_u(truncatedCodes(x, f32x4.splat(0), inverse, f32x4.splat(8.5)), i8x16.splat(15));
}

function pack(block: usize, low: v128, high: v128): void {
  v128.store(block, v128.or(low, i8x16.shl(high, 4)), NIBBLES);
}

export function stepOfQ4_0(block: usize): f32 {
  return loadHalf(block);
}

export function setCodeOfQ4_0(block: usize, j: i32, code: i32): void {
  setNibble(block + NIBBLES, j, code);
}

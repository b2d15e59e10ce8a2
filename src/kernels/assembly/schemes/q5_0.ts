import { splatHalf, storeHalf } from '../half';
import { sumOfSquares, weighErrors } from '../search/error-weights';
import { extremeOf } from '../search/magnitude';
import { fitSigned, SIGNED_SEARCH_BYTES } from '../search/signed-scale';
import { setFiveBits, storeScaled, truncatedCodes } from './codes';
import { loadFifthBits, storeFiveBits } from './fifth-bits';

const BLOCK_SIZE: i32 = 32;
const BLOCK_BYTES: usize = 22;
const FIFTH_BITS: usize = 2;
const NIBBLES: usize = 6;
/** Byte offsets in the encoder's scratch, behind the search. */
const WEIGHTS: usize = SIGNED_SEARCH_BYTES;
const CODES: usize = WEIGHTS + 128;

export function decodeQ5_0(source: usize, target: usize, columns: i32): void {
  const sixteen = i8x16.splat(16);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source);
    const pairs = v128.load(source, NIBBLES);
    const low = v128.or(v128.and(pairs, i8x16.splat(15)), loadFifthBits(source + FIFTH_BITS));
    const high = v128.or(i8x16.shr_u(pairs, 4), loadFifthBits(source + FIFTH_BITS + 2));
    storeScaled(target, i8x16.sub(low, sixteen), d);
    storeScaled(target + 64, i8x16.sub(high, sixteen), d);
    source += BLOCK_BYTES;
    target += 128;
  }
}

export function encodeQ5_0(
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
      storeHalf(target, fitSigned(source, BLOCK_SIZE, 16, scratch + WEIGHTS, scratch + CODES, scratch));
      storeFiveBits(target + FIFTH_BITS, v128.load(scratch, CODES), v128.load(scratch, CODES + 16));
      importance += 128;
    }
    source += 128;
    target += BLOCK_BYTES;
  }
}

function encodePlain(x: usize, block: usize): void {
  const d = extremeOf(x, BLOCK_SIZE) / -16;
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  storeHalf(block, d);
  storeFiveBits(block + FIFTH_BITS, codes(x, inverse), codes(x + 64, inverse));
}

/** 32, the code of the opposite of the extreme, becomes 31. */
function codes(x: usize, inverse: v128): v128 {
  return i8x16.min_u(truncatedCodes(x, f32x4.splat(0), inverse, f32x4.splat(16.5)), i8x16.splat(31));
}

export function setCodeOfQ5_0(block: usize, j: i32, code: i32): void {
  setFiveBits(block + FIFTH_BITS, j, code);
}

import * as q4_0 from '../../../core/scheme-constants/q4_0';
import { BLOCK_SIZE, CODES, SCALE } from '../../../core/scheme-constants/q4_0';
import * as q5_0 from '../../../core/scheme-constants/q5_0';
import { splatHalf, storeHalf } from '../half';
import { sumOfSquares, weighErrors } from '../search/error-weights';
import { extremeOf } from '../search/magnitude';
import { fitSigned, SIGNED_SEARCH_BYTES } from '../search/signed-scale';
import { storeScaled, truncatedCodes } from './codes';
import {
  FiveBits,
  FourBits,
  hasFifths,
  loadHighCodes,
  loadLowCodes,
  setCode,
  storeCodes,
} from './packed-codes';

/** Q4_0 and Q5_0, which begin alike: a scale, then codes -limit .. limit - 1, stored plus the limit. */

/** Byte offsets in the encoder's scratch, behind the search. */
const WEIGHTS: usize = SIGNED_SEARCH_BYTES;
const FITTED: usize = WEIGHTS + 128;

export function decodeQ4_0(source: usize, target: usize, columns: i32): void {
  decode<FourBits>(source, target, columns);
}

export function decodeQ5_0(source: usize, target: usize, columns: i32): void {
  decode<FiveBits>(source, target, columns);
}

export function encodeQ4_0(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  encode<FourBits>(source, target, columns, scratch, importance);
}

export function encodeQ5_0(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  encode<FiveBits>(source, target, columns, scratch, importance);
}

export function setCodeOfQ4_0(block: usize, j: i32, code: i32): void {
  setCode<FourBits>(block + CODES, j, code);
}

export function setCodeOfQ5_0(block: usize, j: i32, code: i32): void {
  setCode<FiveBits>(block + CODES, j, code);
}

function blockBytes<Bits>(): usize {
  return hasFifths<Bits>() ? q5_0.BLOCK_BYTES : q4_0.BLOCK_BYTES;
}

function codeLimit<Bits>(): i32 {
  return hasFifths<Bits>() ? q5_0.CODE_LIMIT : q4_0.CODE_LIMIT;
}

function decode<Bits>(source: usize, target: usize, columns: i32): void {
  const limit = i8x16.splat(<i8>codeLimit<Bits>());
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source + SCALE);
    storeScaled(target, i8x16.sub(loadLowCodes<Bits>(source + CODES), limit), d);
    storeScaled(target + 64, i8x16.sub(loadHighCodes<Bits>(source + CODES), limit), d);
    source += blockBytes<Bits>();
    target += 128;
  }
}

function encode<Bits>(source: usize, target: usize, columns: i32, scratch: usize, importance: usize): void {
  const variance: f32 = importance === 0 ? 0 : sumOfSquares(source, columns) / <f32>columns;
  const weights = scratch + WEIGHTS;
  const codes = scratch + FITTED;
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    if (importance === 0) {
      encodePlain<Bits>(source, target);
    } else {
      weighErrors(source, importance, variance, weights, BLOCK_SIZE);
      const d = fitSigned(source, BLOCK_SIZE, <f32>codeLimit<Bits>(), weights, codes, scratch);
      storeHalf(target + SCALE, d);
      storeCodes<Bits>(target + CODES, v128.load(codes), v128.load(codes, 16));
      importance += 128;
    }
    source += 128;
    target += blockBytes<Bits>();
  }
}

function encodePlain<Bits>(x: usize, block: usize): void {
  const d = extremeOf(x, BLOCK_SIZE) / <f32>-codeLimit<Bits>();
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  storeHalf(block + SCALE, d);
  storeCodes<Bits>(block + CODES, codesOf<Bits>(x, inverse), codesOf<Bits>(x + 64, inverse));
}

/** The code of the opposite of the extreme, twice the limit, becomes the largest. */
function codesOf<Bits>(x: usize, inverse: v128): v128 {
  const limit = codeLimit<Bits>();
  const codes = truncatedCodes(x, f32x4.splat(0), inverse, f32x4.splat(<f32>limit + 0.5));
  return i8x16.min_u(codes, i8x16.splat(<i8>(2 * limit - 1)));
}

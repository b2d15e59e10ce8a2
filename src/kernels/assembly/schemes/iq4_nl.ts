import { BLOCK_BYTES, BLOCK_SIZE, CODES, SCALE } from '../../../core/scheme-constants/iq4_nl';
import { splatHalf, storeHalf } from '../half';
import { sumOfSquares, weighBySquares, weighErrors } from '../search/error-weights';
import { fitIq4, IQ4_SEARCH_BYTES, iq4Values, storeIq4Codes } from '../search/iq4-scale';
import { setNibble, storeScaled } from './codes';

/** Byte offset in the encoder's scratch, behind the search. */
const WEIGHTS: usize = IQ4_SEARCH_BYTES;

export function decodeIQ4_NL(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source + SCALE);
    const pairs = v128.load(source, CODES);
    storeScaled(target, iq4Values(v128.and(pairs, i8x16.splat(15))), d);
    storeScaled(target + 64, iq4Values(i8x16.shr_u(pairs, 4)), d);
    source += BLOCK_BYTES;
    target += 128;
  }
}

export function encodeIQ4_NL(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  const weights = scratch + WEIGHTS;
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    if (importance === 0) {
      weighBySquares(source, weights, BLOCK_SIZE);
    } else {
      const variance: f32 = sumOfSquares(source, BLOCK_SIZE) * (<f32>2 / <f32>BLOCK_SIZE);
      weighErrors(source, importance, variance, weights, BLOCK_SIZE);
      importance += 128;
    }
    const scale = fitIq4(source, weights, scratch);
    storeHalf(target + SCALE, scale);
    storeIq4Codes(source, scale === 0 ? 0 : 1 / scale, target + CODES);
    source += 128;
    target += BLOCK_BYTES;
  }
}

export function setCodeOfIQ4_NL(block: usize, j: i32, code: i32): void {
  setNibble(block + CODES, j, code);
}

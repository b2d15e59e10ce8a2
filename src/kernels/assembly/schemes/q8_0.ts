import {
  BLOCK_BYTES,
  BLOCK_SIZE,
  CODE_LIMIT,
  CODES,
  ROW_REACH,
  SCALE,
} from '../../../core/scheme-constants/q8_0';
import { loadHalf, splatHalf, storeHalf } from '../half';
import { largestMagnitude } from '../search/magnitude';
import { packBytes, roundToByte, storeScaled } from './codes';

export function decodeQ8_0(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source + SCALE);
    storeScaled(target, v128.load(source, CODES), d);
    storeScaled(target + 64, v128.load(source, CODES + 16), d);
    source += BLOCK_BYTES;
    target += 128;
  }
}

export function encodeQ8_0(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    encodeBlock(source, target);
    source += 128;
    target += BLOCK_BYTES;
  }
}

function encodeBlock(x: usize, block: usize): void {
  const largest = largestMagnitude(x, BLOCK_SIZE);
  const d = largest / <f32>CODE_LIMIT;
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  storeHalf(block + SCALE, d);
  v128.store(block, codes(x, inverse), CODES);
  v128.store(block, codes(x + 64, inverse), CODES + 16);
}

/**
 * Writes one row with the same scale in all of its blocks, for matrices that are multiplied in integers: an
 * f16, the nearest to max |x| / 127, or the next above where that one is too small, as among subnormals.
 * Codes come from the f16.
 */
export function encodeQ8_0ByRow(source: usize, target: usize, columns: i32): void {
  const largest = largestMagnitude(source, columns);
  storeHalf(target + SCALE, largest / <f32>CODE_LIMIT);
  if (loadHalf(target) * <f32>ROW_REACH < largest) store<u16>(target, load<u16>(target) + 1);
  const scale = load<u16>(target);
  const d = loadHalf(target);
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    store<u16>(target, scale);
    v128.store(target, codes(source, inverse), CODES);
    v128.store(target, codes(source + 64, inverse), CODES + 16);
    source += 128;
    target += BLOCK_BYTES;
  }
}

function codes(x: usize, inverse: v128): v128 {
  return packBytes(
    roundToByte(f32x4.mul(v128.load(x), inverse)),
    roundToByte(f32x4.mul(v128.load(x, 16), inverse)),
    roundToByte(f32x4.mul(v128.load(x, 32), inverse)),
    roundToByte(f32x4.mul(v128.load(x, 48), inverse)),
  );
}

export function setCodeOfQ8_0(block: usize, j: i32, code: i32): void {
  store<i8>(block + <usize>j, <i8>(code - CODE_LIMIT), CODES);
}

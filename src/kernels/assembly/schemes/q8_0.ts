import { loadHalf, splatHalf, storeHalf } from '../half';
import { largestMagnitude } from '../search/magnitude';
import { packBytes, roundToByte, storeScaled } from './codes';

const BLOCK_SIZE: i32 = 32;
const BLOCK_BYTES: usize = 34;

export function decodeQ8_0(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source);
    storeScaled(target, v128.load(source, 2), d);
    storeScaled(target + 64, v128.load(source, 18), d);
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
  const d = largest / 127;
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  storeHalf(block, d);
  v128.store(block, codes(x, inverse), 2);
  v128.store(block, codes(x + 64, inverse), 18);
}

/** What of the largest weight a code of 127 must reach, lest it be rounded to 128. */
const REACH: f32 = 127.4;

/** One scale, an f16, in all blocks of a row. Twin of encodeQ8_0ByRow in src/schemes/q8_0.ts. */
export function encodeQ8_0ByRow(source: usize, target: usize, columns: i32): void {
  const largest = largestMagnitude(source, columns);
  storeHalf(target, largest / 127);
  if (loadHalf(target) * REACH < largest) store<u16>(target, load<u16>(target) + 1);
  const scale = load<u16>(target);
  const d = loadHalf(target);
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    store<u16>(target, scale);
    v128.store(target, codes(source, inverse), 2);
    v128.store(target, codes(source + 64, inverse), 18);
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
  store<i8>(block + <usize>j, <i8>(code - 127), 2);
}

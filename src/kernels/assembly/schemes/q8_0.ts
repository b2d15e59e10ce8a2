import { splatHalf, storeHalf } from '../half';
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

function codes(x: usize, inverse: v128): v128 {
  return packBytes(
    roundToByte(f32x4.mul(v128.load(x), inverse)),
    roundToByte(f32x4.mul(v128.load(x, 16), inverse)),
    roundToByte(f32x4.mul(v128.load(x, 32), inverse)),
    roundToByte(f32x4.mul(v128.load(x, 48), inverse)),
  );
}

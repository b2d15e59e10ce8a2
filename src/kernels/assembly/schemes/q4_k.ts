import { loadHalf } from '../half';
import { CODES } from '../search/offset-groups';
import { setHalf, storeOffset } from './codes';
import { encodeScaled, minOf, scaleOf } from './k-scales';

const BLOCK_SIZE: i32 = 256;
const BLOCK_BYTES: usize = 144;
const PACKED_SCALES: usize = 4;
const NIBBLES: usize = 16;

export function decodeQ4_K(source: usize, target: usize, columns: i32): void {
  const nibble = i8x16.splat(15);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source);
    const dmin = loadHalf(source + 2);
    const scales = source + PACKED_SCALES;
    for (let pair: usize = 0; pair < 4; pair++) {
      const even = f32x4.splat(d * <f32>scaleOf(scales, 2 * pair));
      const odd = f32x4.splat(d * <f32>scaleOf(scales, 2 * pair + 1));
      const evenMin = f32x4.splat(dmin * <f32>minOf(scales, 2 * pair));
      const oddMin = f32x4.splat(dmin * <f32>minOf(scales, 2 * pair + 1));
      const first = target + (pair << 8);
      for (let j: usize = 0; j < 32; j += 16) {
        const codes = v128.load(source + 32 * pair + j, NIBBLES);
        storeOffset(first + (j << 2), v128.and(codes, nibble), even, evenMin);
        storeOffset(first + 128 + (j << 2), i8x16.shr_u(codes, 4), odd, oddMin);
      }
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}

export function encodeQ4_K(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    encodeScaled(source, target, scratch, importance, 15, -1, 20);
    pack(scratch + CODES, target + NIBBLES);
    source += 1024;
    target += BLOCK_BYTES;
    if (importance !== 0) importance += 1024;
  }
}

function pack(codes: usize, target: usize): void {
  for (let pair: usize = 0; pair < 4; pair++) {
    for (let j: usize = 0; j < 32; j += 16) {
      const even = v128.load(codes + 64 * pair + j);
      const odd = v128.load(codes + 64 * pair + j, 32);
      v128.store(target + 32 * pair + j, v128.or(even, i8x16.shl(odd, 4)));
    }
  }
}

export function setCodeOfQ4_K(block: usize, i: i32, code: i32): void {
  setHalf(block + NIBBLES + 32 * <usize>(i >> 6) + <usize>(i & 31), (i & 32) !== 0, code);
}

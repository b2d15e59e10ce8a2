import { loadHalf } from '../half';
import { CODES } from '../search/offset-groups';
import { setBit, setHalf, storeOffset } from './codes';
import { encodeScaled, minOf, scaleOf } from './k-scales';

const BLOCK_SIZE: i32 = 256;
const BLOCK_BYTES: usize = 176;
const PACKED_SCALES: usize = 4;
const HIGH_BITS: usize = 16;
const NIBBLES: usize = 48;

export function decodeQ5_K(source: usize, target: usize, columns: i32): void {
  const nibble = i8x16.splat(15);
  const fifth = i8x16.splat(16);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source);
    const dmin = loadHalf(source + 2);
    const scales = source + PACKED_SCALES;
    for (let j: usize = 0; j < 32; j += 16) {
      let high = v128.load(source + j, HIGH_BITS);
      for (let pair: usize = 0; pair < 4; pair++) {
        const low = v128.load(source + 32 * pair + j, NIBBLES);
        const even = v128.or(v128.and(low, nibble), v128.and(i8x16.shl(high, 4), fifth));
        const odd = v128.or(i8x16.shr_u(low, 4), v128.and(i8x16.shl(high, 3), fifth));
        high = i8x16.shr_u(high, 2);
        const first = target + (pair << 8) + (j << 2);
        storeGroup(first, even, d, dmin, scales, 2 * pair);
        storeGroup(first + 128, odd, d, dmin, scales, 2 * pair + 1);
      }
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}

function storeGroup(target: usize, codes: v128, d: f32, dmin: f32, scales: usize, group: usize): void {
  const step = f32x4.splat(d * <f32>scaleOf(scales, group));
  storeOffset(target, codes, step, f32x4.splat(dmin * <f32>minOf(scales, group)));
}

export function encodeQ5_K(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    encodeScaled(source, target, scratch, importance, 31, -0.5, 15);
    pack(scratch + CODES, target);
    source += 1024;
    target += BLOCK_BYTES;
    if (importance !== 0) importance += 1024;
  }
}

function pack(codes: usize, block: usize): void {
  const nibble = i8x16.splat(15);
  for (let j: usize = 0; j < 32; j += 16) {
    let high = i8x16.splat(0);
    for (let pair: usize = 4; pair-- > 0; ) {
      const even = v128.load(codes + 64 * pair + j);
      const odd = v128.load(codes + 64 * pair + j, 32);
      const low = v128.or(v128.and(even, nibble), i8x16.shl(odd, 4));
      v128.store(block + 32 * pair + j, low, NIBBLES);
      const fifths = v128.or(i8x16.shr_u(even, 4), i8x16.shl(i8x16.shr_u(odd, 4), 1));
      high = v128.or(i8x16.shl(high, 2), fifths);
    }
    v128.store(block + j, high, HIGH_BITS);
  }
}

export function setCodeOfQ5_K(block: usize, i: i32, code: i32): void {
  setHalf(block + NIBBLES + 32 * <usize>(i >> 6) + <usize>(i & 31), (i & 32) !== 0, code & 15);
  setBit(block + HIGH_BITS + <usize>(i & 31), i >> 5, code >> 4);
}

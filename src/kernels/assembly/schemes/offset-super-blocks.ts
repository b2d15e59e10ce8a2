import * as q4_k from '../../../core/scheme-constants/q4_k';
import { BLOCK_SIZE, GROUP_SCALES, MIN, SCALE } from '../../../core/scheme-constants/q4_k';
import * as q5_k from '../../../core/scheme-constants/q5_k';
import { loadHalf } from '../half';
import { CODES } from '../search/offset-groups';
import { setBit, setHalf, storeOffset } from './codes';
import { encodeScaled, minCode, scaleCode } from './k-scales';
import { FiveBits, FourBits, hasFifths } from './packed-codes';

/**
 * Q4_K and Q5_K, which begin alike: scales and mins of 8 groups, then fifth bits, if any, then nibbles.
 * Groups 2p and 2p + 1 share the 32 bytes of nibbles from 32p on.
 */

export function decodeQ4_K(source: usize, target: usize, columns: i32): void {
  decode<FourBits>(source, target, columns);
}

export function decodeQ5_K(source: usize, target: usize, columns: i32): void {
  decode<FiveBits>(source, target, columns);
}

export function encodeQ4_K(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  encode<FourBits>(source, target, columns, scratch, importance);
}

export function encodeQ5_K(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  encode<FiveBits>(source, target, columns, scratch, importance);
}

export function setCodeOfQ4_K(block: usize, i: i32, code: i32): void {
  setCode<FourBits>(block, i, code);
}

export function setCodeOfQ5_K(block: usize, i: i32, code: i32): void {
  setCode<FiveBits>(block, i, code);
}

function blockBytes<Bits>(): usize {
  return hasFifths<Bits>() ? q5_k.BLOCK_BYTES : q4_k.BLOCK_BYTES;
}

function nibblesOf<Bits>(block: usize): usize {
  return block + (hasFifths<Bits>() ? q5_k.NIBBLES : q4_k.NIBBLES);
}

function decode<Bits>(source: usize, target: usize, columns: i32): void {
  const fifteen = i8x16.splat(15);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SCALE);
    const dmin = loadHalf(source + MIN);
    const scales = source + GROUP_SCALES;
    for (let pair: usize = 0; pair < 4; pair++) {
      const even = f32x4.splat(d * <f32>scaleCode(scales, 2 * pair));
      const odd = f32x4.splat(d * <f32>scaleCode(scales, 2 * pair + 1));
      const evenMin = f32x4.splat(dmin * <f32>minCode(scales, 2 * pair));
      const oddMin = f32x4.splat(dmin * <f32>minCode(scales, 2 * pair + 1));
      const first = target + (pair << 8);
      for (let j: usize = 0; j < 32; j += 16) {
        const codes = v128.load(nibblesOf<Bits>(source) + 32 * pair + j);
        let low = v128.and(codes, fifteen);
        let high = i8x16.shr_u(codes, 4);
        if (hasFifths<Bits>()) {
          const bits = v128.load(source + j, q5_k.FIFTH_BITS);
          low = v128.or(low, fifthsOf(bits, 2 * <i32>pair));
          high = v128.or(high, fifthsOf(bits, 2 * <i32>pair + 1));
        }
        storeOffset(first + (j << 2), low, even, evenMin);
        storeOffset(first + 128 + (j << 2), high, odd, oddMin);
      }
    }
    source += blockBytes<Bits>();
    target += 1024;
  }
}

/** Bit `group` of each byte as 16 or 0. */
function fifthsOf(bits: v128, group: i32): v128 {
  const bit = i8x16.splat(<i8>((<i32>1) << group));
  return v128.and(i8x16.eq(v128.and(bits, bit), bit), i8x16.splat(16));
}

function encode<Bits>(source: usize, target: usize, columns: i32, scratch: usize, importance: usize): void {
  const largest = hasFifths<Bits>() ? q5_k.LARGEST_CODE : q4_k.LARGEST_CODE;
  const from = <f32>(hasFifths<Bits>() ? q5_k.SEARCH_FROM : q4_k.SEARCH_FROM);
  const steps = hasFifths<Bits>() ? q5_k.SEARCH_STEPS : q4_k.SEARCH_STEPS;
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    encodeScaled(source, target, scratch, importance, largest, from, steps);
    pack<Bits>(scratch + CODES, target);
    source += 1024;
    target += blockBytes<Bits>();
    if (importance !== 0) importance += 1024;
  }
}

function pack<Bits>(codes: usize, block: usize): void {
  const fifteen = i8x16.splat(15);
  const nibbles = nibblesOf<Bits>(block);
  for (let j: usize = 0; j < 32; j += 16) {
    let fifths = i8x16.splat(0);
    for (let pair: usize = 4; pair-- > 0; ) {
      const even = v128.load(codes + 64 * pair + j);
      const odd = v128.load(codes + 64 * pair + j, 32);
      v128.store(nibbles + 32 * pair + j, v128.or(v128.and(even, fifteen), i8x16.shl(odd, 4)));
      const bits = v128.or(i8x16.shr_u(even, 4), i8x16.shl(i8x16.shr_u(odd, 4), 1));
      fifths = v128.or(i8x16.shl(fifths, 2), bits);
    }
    if (hasFifths<Bits>()) v128.store(block + j, fifths, q5_k.FIFTH_BITS);
  }
}

function setCode<Bits>(block: usize, i: i32, code: i32): void {
  const nibble = nibblesOf<Bits>(block) + 32 * <usize>(i >> 6) + <usize>(i & 31);
  setHalf(nibble, (i & 32) !== 0, code & 15);
  if (hasFifths<Bits>()) setBit(block + q5_k.FIFTH_BITS + <usize>(i & 31), i >> 5, code >> 4);
}

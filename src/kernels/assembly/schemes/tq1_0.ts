import { BLOCK_BYTES, BLOCK_SIZE, FOURS, SCALE } from '../../../core/scheme-constants/tq1_0';
import { splatHalf, storeHalf } from '../half';
import { largestMagnitude } from '../search/magnitude';
import { storeScaled } from './codes';
import { tritsOf } from './trits';

export function decodeTQ1_0(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source + SCALE);
    for (let at: usize = 0; at < <usize>FOURS; at += 16) {
      let fractions = v128.load(source + at);
      const first = target + weightOf(at);
      const stride = strideOf(at);
      for (let n: usize = 0; n < 5; n++) {
        storeScaled(first + n * stride, leadingTrits(fractions), d);
        fractions = tripled(fractions);
      }
    }
    const first = v128.load32_zero(source + FOURS);
    const second = tripled(first);
    const third = tripled(second);
    const front = v128.shuffle<i32>(first, second, 0, 4, 0, 4);
    const back = v128.shuffle<i32>(third, tripled(third), 0, 4, 0, 4);
    storeScaled(target + 960, leadingTrits(v128.shuffle<i32>(front, back, 0, 1, 4, 5)), d);
    source += BLOCK_BYTES;
    target += 1024;
  }
}

/** The first trits of fractions of 256, less 1: the carry of three times the fraction. */
function leadingTrits(fractions: v128): v128 {
  const ones = i8x16.ge_u(fractions, i8x16.splat(86));
  const twos = i8x16.ge_u(fractions, i8x16.splat(<i8>171));
  return i8x16.sub(i8x16.sub(i8x16.splat(-1), ones), twos);
}

function tripled(bytes: v128): v128 {
  return i8x16.add(i8x16.add(bytes, bytes), bytes);
}

/** Where the floats of the first trits of 16 bytes lie: bytes 0..31 belong to weights 0..159. */
function weightOf(at: usize): usize {
  return at < 32 ? at << 2 : 640;
}

/** Bytes from a trit's float to that of the next. */
function strideOf(at: usize): usize {
  return at < 32 ? 128 : 64;
}

export function encodeTQ1_0(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = largestMagnitude(source, BLOCK_SIZE);
    const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
    storeHalf(target + SCALE, d);
    for (let at: usize = 0; at < <usize>FOURS; at += 16) {
      const first = source + weightOf(at);
      const stride = strideOf(at);
      let numbers = tritsOf(first, inverse);
      for (let n: usize = 1; n < 5; n++) {
        numbers = i8x16.add(tripled(numbers), tritsOf(first + n * stride, inverse));
      }
      v128.store(target + at, toFractions(numbers));
    }
    // Four trits of a byte lie in four lanes; the fifth is 0.
    const trits = tritsOf(source + 960, inverse);
    let numbers = trits;
    numbers = i8x16.add(tripled(numbers), v128.shuffle<i32>(trits, trits, 1, 1, 1, 1));
    numbers = i8x16.add(tripled(numbers), v128.shuffle<i32>(trits, trits, 2, 2, 2, 2));
    numbers = i8x16.add(tripled(numbers), v128.shuffle<i32>(trits, trits, 3, 3, 3, 3));
    v128.store32_lane(target + FOURS, toFractions(tripled(numbers)), 0);
    source += 1024;
    target += BLOCK_BYTES;
  }
}

/**
 * ceil(256 n / 243) of bytes n, which is n + ceil(13 n / 243): 4316 / 2^20 is 1 / 243, near enough for 12
 * bits.
 */
function toFractions(numbers: v128): v128 {
  const low = ceiling(i16x8.extend_low_i8x16_u(numbers));
  const high = ceiling(i16x8.extend_high_i8x16_u(numbers));
  return i8x16.add(numbers, i8x16.narrow_i16x8_u(low, high));
}

function ceiling(numbers: v128): v128 {
  const shifted = i16x8.add(i16x8.mul(numbers, i16x8.splat(13)), i16x8.splat(242));
  const factor = i16x8.splat(4316);
  return i16x8.narrow_i32x4_u(
    i32x4.shr_u(i32x4.extmul_low_i16x8_u(shifted, factor), 20),
    i32x4.shr_u(i32x4.extmul_high_i16x8_u(shifted, factor), 20),
  );
}

import * as mxfp4 from '../../../core/scheme-constants/mxfp4';
import { BLOCK_BYTES, BLOCK_SIZE, CODES, EXPONENT } from '../../../core/scheme-constants/mxfp4';
import { extremeOf } from '../search/magnitude';
import { packBytes, storeScaled } from './codes';

export function decodeMXFP4(source: usize, target: usize, columns: i32): void {
  const values = i8x16(
    <i8>mxfp4.DOUBLED_0,
    <i8>mxfp4.DOUBLED_1,
    <i8>mxfp4.DOUBLED_2,
    <i8>mxfp4.DOUBLED_3,
    <i8>mxfp4.DOUBLED_4,
    <i8>mxfp4.DOUBLED_5,
    <i8>mxfp4.DOUBLED_6,
    <i8>mxfp4.DOUBLED_7,
    <i8>mxfp4.DOUBLED_8,
    <i8>mxfp4.DOUBLED_9,
    <i8>mxfp4.DOUBLED_10,
    <i8>mxfp4.DOUBLED_11,
    <i8>mxfp4.DOUBLED_12,
    <i8>mxfp4.DOUBLED_13,
    <i8>mxfp4.DOUBLED_14,
    <i8>mxfp4.DOUBLED_15,
  );
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = f32x4.splat(scaleOf(load<u8>(source, EXPONENT)));
    const pairs = v128.load(source, CODES);
    storeScaled(target, i8x16.swizzle(values, v128.and(pairs, i8x16.splat(15))), d);
    storeScaled(target + 64, i8x16.swizzle(values, i8x16.shr_u(pairs, 4)), d);
    source += BLOCK_BYTES;
    target += 128;
  }
}

/** 2^(e - 128). */
function scaleOf(exponent: u32): f32 {
  return reinterpret<f32>(exponent < 2 ? (<u32>0x200000) << exponent : (exponent - 1) << 23);
}

export function encodeMXFP4(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const exponent = exponentFor(abs<f32>(extremeOf(source, BLOCK_SIZE)));
    store<u8>(target, <u8>exponent, EXPONENT);
    encodeBlock(source, exponent, target + CODES);
    source += 128;
    target += BLOCK_BYTES;
  }
}

/**
 * The low byte of floorf(log2f(magnitude)) + 125; infinity counts as 0. log2f rounds: what is within half a
 * unit in the last place of an integer k is k, so that a magnitude just below 2^k counts as 2^k.
 */
function exponentFor(magnitude: f32): u32 {
  if (magnitude === 0 || magnitude === Infinity) return 0;
  const bits = reinterpret<i32>(magnitude);
  const exponent = bits < 0x800000 ? -118 - clz(bits) : (bits >> 23) - 127;
  // The logarithm lies between `exponent` and the integer above it: this is the power of two below both in
  // magnitude.
  const binade = 31 - clz(exponent < 0 ? ~exponent : exponent);
  const above = powerOfTwo(exponent + 1);
  const isAbove = above - <f64>magnitude < above * Math.LN2 * powerOfTwo(binade - 24);
  return (exponent + (isAbove ? 126 : 125)) & 255;
}

function powerOfTwo(exponent: i32): f64 {
  return reinterpret<f64>((<i64>exponent + 1023) << 52);
}

function encodeBlock(x: usize, exponent: u32, target: usize): void {
  if (exponent > 2 && exponent < 252) {
    const inverse = f32x4.splat(reinterpret<f32>((255 - exponent) << 23));
    v128.store(target, v128.or(codes(x, inverse), i8x16.shl(codes(x + 64, inverse), 4)));
    return;
  }
  // Denormal scales, values that overflow, and beside infinities errors too large to tell values apart.
  const d = scaleOf(exponent);
  for (let j: usize = 0; j < 16; j++) {
    const low = nearestCode(load<f32>(x + (j << 2)), d);
    store<u8>(target + j, low | (nearestCode(load<f32>(x + (j << 2), 64), d) << 4));
  }
}

/** The first code of the least error. */
function nearestCode(value: f32, d: f32): u8 {
  const size = abs<f32>(value);
  const sign: u8 = value < 0 ? 8 : 0;
  let nearest: u8 = 0;
  let least = size;
  for (let code: u8 = 1; code < 8; code++) {
    const magnitude: f32 = code < 5 ? <f32>code : code === 7 ? 12 : <f32>(2 * code - 4);
    const error = abs<f32>(magnitude * d - size);
    if (error < least) {
      nearest = code | sign;
      least = error;
    }
  }
  return nearest;
}

function codes(x: usize, inverse: v128): v128 {
  return packBytes(
    nearestCodes(v128.load(x), inverse),
    nearestCodes(v128.load(x, 16), inverse),
    nearestCodes(v128.load(x, 32), inverse),
    nearestCodes(v128.load(x, 48), inverse),
  );
}

/**
 * Codes by the midpoints between values that are exceeded: scaling by a power of two is exact. Zero has no
 * sign.
 */
function nearestCodes(v: v128, inverse: v128): v128 {
  const size = f32x4.mul(f32x4.abs(v), inverse);
  const notZero = f32x4.gt(size, f32x4.splat(0.5));
  let opposite = i32x4.add(notZero, f32x4.gt(size, f32x4.splat(1.5)));
  opposite = i32x4.add(opposite, f32x4.gt(size, f32x4.splat(2.5)));
  opposite = i32x4.add(opposite, f32x4.gt(size, f32x4.splat(3.5)));
  opposite = i32x4.add(opposite, f32x4.gt(size, f32x4.splat(5)));
  opposite = i32x4.add(opposite, f32x4.gt(size, f32x4.splat(7)));
  opposite = i32x4.add(opposite, f32x4.gt(size, f32x4.splat(10)));
  const sign = v128.and(v128.and(i32x4.shr_u(v, 28), i32x4.splat(8)), notZero);
  return i32x4.sub(sign, opposite);
}

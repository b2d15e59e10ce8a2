import { extremeOf } from '../search/magnitude';
import { packBytes, storeScaled } from './codes';

const BLOCK_SIZE: i32 = 32;
const BLOCK_BYTES: usize = 17;
const NIBBLES: usize = 1;

export function decodeMXFP4(source: usize, target: usize, columns: i32): void {
  const values = i8x16(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = f32x4.splat(scaleOf(load<u8>(source)));
    const pairs = v128.load(source, NIBBLES);
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
    store<u8>(target, <u8>exponent);
    const d = scaleOf(exponent);
    v128.store(target, v128.or(codes(source, d), i8x16.shl(codes(source + 64, d), 4)), NIBBLES);
    source += 128;
    target += BLOCK_BYTES;
  }
}

/** floor(log2(magnitude)) + 125 as ggml rounds it; the twin tells why. */
function exponentFor(magnitude: f32): u32 {
  if (magnitude === 0 || magnitude === Infinity) return 0;
  const bits = reinterpret<i32>(magnitude);
  const exponent = bits < 0x800000 ? -118 - clz(bits) : (bits >> 23) - 127;
  const binade = 31 - clz(exponent < 0 ? ~exponent : exponent);
  const above = powerOfTwo(exponent + 1);
  const isAbove = above - <f64>magnitude < above * Math.LN2 * powerOfTwo(binade - 24);
  return (exponent + (isAbove ? 126 : 125)) & 255;
}

function powerOfTwo(exponent: i32): f64 {
  return reinterpret<f64>((<i64>exponent + 1023) << 52);
}

function codes(x: usize, d: f32): v128 {
  return packBytes(
    nearestCodes(v128.load(x), d),
    nearestCodes(v128.load(x, 16), d),
    nearestCodes(v128.load(x, 32), d),
    nearestCodes(v128.load(x, 48), d),
  );
}

/** The first code of the least error. Values of the other sign are never nearer than 0. */
function nearestCodes(v: v128, d: f32): v128 {
  const size = f32x4.abs(v);
  let least = size;
  let code = i32x4.splat(0);
  for (let k: i32 = 1; k < 8; k++) {
    const value: f32 = k < 5 ? <f32>k : k === 5 ? 6 : k === 6 ? 8 : 12;
    const error = f32x4.abs(f32x4.sub(f32x4.splat(value * d), size));
    code = v128.bitselect(i32x4.splat(k), code, f32x4.lt(error, least));
    least = f32x4.pmin(least, error);
  }
  const sign = v128.and(i32x4.shr_u(v, 28), i32x4.splat(8));
  return v128.or(code, v128.and(sign, i32x4.gt_s(code, i32x4.splat(0))));
}

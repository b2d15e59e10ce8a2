import { packBytes, roundToByte } from './codes';

/** Sixteen weights times `inverse`, rounded to -1, 0 or 1, plus 1. */
export function tritsOf(x: usize, inverse: v128): v128 {
  const rounded = packBytes(
    roundToByte(f32x4.mul(v128.load(x), inverse)),
    roundToByte(f32x4.mul(v128.load(x, 16), inverse)),
    roundToByte(f32x4.mul(v128.load(x, 32), inverse)),
    roundToByte(f32x4.mul(v128.load(x, 48), inverse)),
  );
  return i8x16.add(rounded, i8x16.splat(1));
}

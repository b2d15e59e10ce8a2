import { loadPartial, storePartial } from './vector';

/** y += a0 w0, then += a1 w1, and so on: four steps in one pass over y, with the rounding of four passes. */
export function addFourScaled(
  y: usize,
  columns: i32,
  a0: f32,
  a1: f32,
  a2: f32,
  a3: f32,
  w0: usize,
  w1: usize,
  w2: usize,
  w3: usize,
): void {
  const b0 = f32x4.splat(a0);
  const b1 = f32x4.splat(a1);
  const b2 = f32x4.splat(a2);
  const b3 = f32x4.splat(a3);
  const whole = (<usize>(columns & ~3)) << 2;
  for (let c: usize = 0; c < whole; c += 16) {
    let sum = v128.load(y + c);
    sum = f32x4.add(sum, f32x4.mul(b0, v128.load(w0 + c)));
    sum = f32x4.add(sum, f32x4.mul(b1, v128.load(w1 + c)));
    sum = f32x4.add(sum, f32x4.mul(b2, v128.load(w2 + c)));
    sum = f32x4.add(sum, f32x4.mul(b3, v128.load(w3 + c)));
    v128.store(y + c, sum);
  }
  const rest = columns & 3;
  if (rest !== 0) {
    let sum = loadPartial(y + whole, rest);
    sum = f32x4.add(sum, f32x4.mul(b0, loadPartial(w0 + whole, rest)));
    sum = f32x4.add(sum, f32x4.mul(b1, loadPartial(w1 + whole, rest)));
    sum = f32x4.add(sum, f32x4.mul(b2, loadPartial(w2 + whole, rest)));
    sum = f32x4.add(sum, f32x4.mul(b3, loadPartial(w3 + whole, rest)));
    storePartial(y + whole, sum, rest);
  }
}

/** y += a w. */
export function addScaled(y: usize, columns: i32, a: f32, w: usize): void {
  const factor = f32x4.splat(a);
  const whole = (<usize>(columns & ~3)) << 2;
  for (let c: usize = 0; c < whole; c += 16) {
    v128.store(y + c, f32x4.add(v128.load(y + c), f32x4.mul(factor, v128.load(w + c))));
  }
  const rest = columns & 3;
  if (rest !== 0) {
    const product = f32x4.mul(factor, loadPartial(w + whole, rest));
    storePartial(y + whole, f32x4.add(loadPartial(y + whole, rest), product), rest);
  }
}

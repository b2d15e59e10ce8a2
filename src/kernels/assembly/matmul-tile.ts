import { loadPartial, sumLanes } from './vector';

/**
 * Four decoded rows times every token: two tokens at a time, so that sums and operands fit in 16 registers.
 */
export function multiplyTile(
  w0: usize,
  w1: usize,
  w2: usize,
  w3: usize,
  rows: i32,
  columns: i32,
  x: usize,
  xTokenBytes: usize,
  y: usize,
  yTokenBytes: usize,
  tokens: i32,
): void {
  let t = 0;
  for (; t + 2 <= tokens; t += 2) {
    multiplyTwo(w0, w1, w2, w3, rows, columns, x, x + xTokenBytes, y, y + yTokenBytes);
    x += 2 * xTokenBytes;
    y += 2 * yTokenBytes;
  }
  if (t < tokens) multiplyOne(w0, w1, w2, w3, rows, columns, x, y);
}

function multiplyTwo(
  w0: usize,
  w1: usize,
  w2: usize,
  w3: usize,
  rows: i32,
  columns: i32,
  xa: usize,
  xb: usize,
  ya: usize,
  yb: usize,
): void {
  let a0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  let b0 = f32x4.splat(0);
  let b1 = f32x4.splat(0);
  let b2 = f32x4.splat(0);
  let b3 = f32x4.splat(0);
  const whole = (<usize>(columns & ~3)) << 2;
  for (let c: usize = 0; c < whole; c += 16) {
    const a = v128.load(xa + c);
    const b = v128.load(xb + c);
    let w = v128.load(w0 + c);
    a0 = f32x4.add(a0, f32x4.mul(a, w));
    b0 = f32x4.add(b0, f32x4.mul(b, w));
    w = v128.load(w1 + c);
    a1 = f32x4.add(a1, f32x4.mul(a, w));
    b1 = f32x4.add(b1, f32x4.mul(b, w));
    w = v128.load(w2 + c);
    a2 = f32x4.add(a2, f32x4.mul(a, w));
    b2 = f32x4.add(b2, f32x4.mul(b, w));
    w = v128.load(w3 + c);
    a3 = f32x4.add(a3, f32x4.mul(a, w));
    b3 = f32x4.add(b3, f32x4.mul(b, w));
  }
  const rest = columns & 3;
  if (rest !== 0) {
    const a = loadPartial(xa + whole, rest);
    const b = loadPartial(xb + whole, rest);
    let w = loadPartial(w0 + whole, rest);
    a0 = f32x4.add(a0, f32x4.mul(a, w));
    b0 = f32x4.add(b0, f32x4.mul(b, w));
    w = loadPartial(w1 + whole, rest);
    a1 = f32x4.add(a1, f32x4.mul(a, w));
    b1 = f32x4.add(b1, f32x4.mul(b, w));
    w = loadPartial(w2 + whole, rest);
    a2 = f32x4.add(a2, f32x4.mul(a, w));
    b2 = f32x4.add(b2, f32x4.mul(b, w));
    w = loadPartial(w3 + whole, rest);
    a3 = f32x4.add(a3, f32x4.mul(a, w));
    b3 = f32x4.add(b3, f32x4.mul(b, w));
  }
  storeSums(ya, rows, a0, a1, a2, a3);
  storeSums(yb, rows, b0, b1, b2, b3);
}

function multiplyOne(
  w0: usize,
  w1: usize,
  w2: usize,
  w3: usize,
  rows: i32,
  columns: i32,
  x: usize,
  y: usize,
): void {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  const whole = (<usize>(columns & ~3)) << 2;
  for (let c: usize = 0; c < whole; c += 16) {
    const v = v128.load(x + c);
    s0 = f32x4.add(s0, f32x4.mul(v, v128.load(w0 + c)));
    s1 = f32x4.add(s1, f32x4.mul(v, v128.load(w1 + c)));
    s2 = f32x4.add(s2, f32x4.mul(v, v128.load(w2 + c)));
    s3 = f32x4.add(s3, f32x4.mul(v, v128.load(w3 + c)));
  }
  const rest = columns & 3;
  if (rest !== 0) {
    const v = loadPartial(x + whole, rest);
    s0 = f32x4.add(s0, f32x4.mul(v, loadPartial(w0 + whole, rest)));
    s1 = f32x4.add(s1, f32x4.mul(v, loadPartial(w1 + whole, rest)));
    s2 = f32x4.add(s2, f32x4.mul(v, loadPartial(w2 + whole, rest)));
    s3 = f32x4.add(s3, f32x4.mul(v, loadPartial(w3 + whole, rest)));
  }
  storeSums(y, rows, s0, s1, s2, s3);
}

function storeSums(y: usize, rows: i32, s0: v128, s1: v128, s2: v128, s3: v128): void {
  store<f32>(y, sumLanes(s0));
  if (rows > 1) store<f32>(y, sumLanes(s1), 4);
  if (rows > 2) store<f32>(y, sumLanes(s2), 8);
  if (rows > 3) store<f32>(y, sumLanes(s3), 12);
}

/** Where row i of a lower triangle of f64 lies: rows before it have 1, 2, … i entries. */
export function rowAt(triangle: usize, i: i32): usize {
  return triangle + ((<usize>((<i64>i * <i64>(i + 1)) >> 1)) << 3);
}

/** Bytes of `elements` f64. */
export function doubleBytes(elements: i32): usize {
  return (<usize>elements) << 3;
}

/**
 * Entries [i + r, j + s] of the triangle, r < `rows` (1 to 4) and s < `columns` (1 or 2), less the sum over
 * from <= k < to of the entries [i + r, k] times the values k - from at `b0` (s = 0) and `b1`. Entries beyond
 * the diagonal are left alone. Even and odd k are summed apart.
 */
export function subtractProducts(
  triangle: usize,
  i: i32,
  rows: i32,
  j: i32,
  columns: i32,
  b0: usize,
  b1: usize,
  from: i32,
  to: i32,
): void {
  const start = doubleBytes(from);
  const r0 = rowAt(triangle, i);
  const r1 = rows > 1 ? rowAt(triangle, i + 1) : r0;
  const r2 = rows > 2 ? rowAt(triangle, i + 2) : r0;
  const r3 = rows > 3 ? rowAt(triangle, i + 3) : r0;
  const a0 = r0 + start;
  const a1 = r1 + start;
  const a2 = r2 + start;
  const a3 = r3 + start;
  let s00 = f64x2.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  const whole = doubleBytes((to - from) & ~1);
  for (let k: usize = 0; k < whole; k += 16) {
    const x = v128.load(b0 + k);
    const y = v128.load(b1 + k);
    let a = v128.load(a0 + k);
    s00 = f64x2.add(s00, f64x2.mul(a, x));
    s01 = f64x2.add(s01, f64x2.mul(a, y));
    a = v128.load(a1 + k);
    s10 = f64x2.add(s10, f64x2.mul(a, x));
    s11 = f64x2.add(s11, f64x2.mul(a, y));
    a = v128.load(a2 + k);
    s20 = f64x2.add(s20, f64x2.mul(a, x));
    s21 = f64x2.add(s21, f64x2.mul(a, y));
    a = v128.load(a3 + k);
    s30 = f64x2.add(s30, f64x2.mul(a, x));
    s31 = f64x2.add(s31, f64x2.mul(a, y));
  }
  if (((to - from) & 1) !== 0) {
    const x = v128.load64_zero(b0 + whole);
    const y = v128.load64_zero(b1 + whole);
    let a = v128.load64_zero(a0 + whole);
    s00 = f64x2.add(s00, f64x2.mul(a, x));
    s01 = f64x2.add(s01, f64x2.mul(a, y));
    a = v128.load64_zero(a1 + whole);
    s10 = f64x2.add(s10, f64x2.mul(a, x));
    s11 = f64x2.add(s11, f64x2.mul(a, y));
    a = v128.load64_zero(a2 + whole);
    s20 = f64x2.add(s20, f64x2.mul(a, x));
    s21 = f64x2.add(s21, f64x2.mul(a, y));
    a = v128.load64_zero(a3 + whole);
    s30 = f64x2.add(s30, f64x2.mul(a, x));
    s31 = f64x2.add(s31, f64x2.mul(a, y));
  }
  subtractPair(r0, i, j, columns, s00, s01);
  if (rows > 1) subtractPair(r1, i + 1, j, columns, s10, s11);
  if (rows > 2) subtractPair(r2, i + 2, j, columns, s20, s21);
  if (rows > 3) subtractPair(r3, i + 3, j, columns, s30, s31);
}

function subtractPair(row: usize, i: i32, j: i32, columns: i32, first: v128, second: v128): void {
  const at = row + doubleBytes(j);
  if (j <= i) store<f64>(at, load<f64>(at) - sumPair(first));
  if (columns > 1 && j < i) store<f64>(at, load<f64>(at, 8) - sumPair(second), 8);
}

function sumPair(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

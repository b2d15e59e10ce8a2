import { floatBytes } from './job';

/** Where column 0 of row i would lie: rows before it have columns, columns - 1, … entries. */
export function rowStart(moments: usize, columns: i32, i: i32): usize {
  const entries = <i64>i * <i64>columns - (<i64>i * <i64>(i - 1)) / 2 - <i64>i;
  return moments + ((<usize>entries) << 3);
}

/** Adds the sums of columns from <= c < to, the first of which is that of column `start`, to a row. */
export function addSums(row: usize, weight: f64, sums: usize, start: i32, from: i32, to: i32): void {
  const weights = f64x2.splat(weight);
  let c = from;
  for (; c + 2 <= to; c += 2) {
    const at = row + ((<usize>c) << 3);
    const values = f64x2.promote_low_f32x4(v128.load64_zero(sums + floatBytes(c - start)));
    v128.store(at, f64x2.add(v128.load(at), f64x2.mul(weights, values)));
  }
  if (c < to) {
    const at = row + ((<usize>c) << 3);
    store<f64>(at, load<f64>(at) + weight * <f64>load<f32>(sums + floatBytes(c - start)));
  }
}

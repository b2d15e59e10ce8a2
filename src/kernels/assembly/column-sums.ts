import { COLUMN_TILE } from '../tiles';
import { count, floatBytes, pointer, real } from './job';

export function columnSums(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const tokenBytes = floatBytes(pointer(fields, 1));
  const columns = count(fields, 2);
  const tokens = pointer(fields, 3);
  const weight = real(fields, 4);
  const squares = pointer(fields, 5);
  const sums = pointer(fields, 6);
  const positives = pointer(fields, 7);
  for (let tile = first; tile < end; tile++) {
    const from = tile * COLUMN_TILE;
    const size = min(COLUMN_TILE, columns - from);
    const row = x + floatBytes(from);
    const shift = (<usize>from) << 3;
    addSquares(row, tokenBytes, size, tokens, weight, squares + shift);
    if (sums !== 0) addValues(row, tokenBytes, size, tokens, weight, sums + shift);
    if (positives !== 0) addPositives(row, tokenBytes, size, tokens, weight, positives + shift);
  }
}

function addSquares(
  x: usize,
  tokenBytes: usize,
  columns: i32,
  tokens: usize,
  weight: f64,
  sums: usize,
): void {
  const pairs = <usize>(columns & ~1);
  const weights = f64x2.splat(weight);
  for (let t: usize = 0; t < tokens; t++, x += tokenBytes) {
    for (let c: usize = 0; c < pairs; c += 2) {
      const value = f64x2.promote_low_f32x4(v128.load64_zero(x + (c << 2)));
      const sum = sums + (c << 3);
      v128.store(sum, f64x2.add(v128.load(sum), f64x2.mul(weights, f64x2.mul(value, value))));
    }
    if (columns & 1) {
      const value = <f64>load<f32>(x + (pairs << 2));
      const sum = sums + (pairs << 3);
      store<f64>(sum, load<f64>(sum) + weight * (value * value));
    }
  }
}

function addValues(x: usize, tokenBytes: usize, columns: i32, tokens: usize, weight: f64, sums: usize): void {
  for (let t: usize = 0; t < tokens; t++, x += tokenBytes) {
    for (let c: usize = 0; c < <usize>columns; c++) {
      const sum = sums + (c << 3);
      store<f64>(sum, load<f64>(sum) + weight * <f64>load<f32>(x + (c << 2)));
    }
  }
}

function addPositives(
  x: usize,
  tokenBytes: usize,
  columns: i32,
  tokens: usize,
  weight: f64,
  sums: usize,
): void {
  for (let t: usize = 0; t < tokens; t++, x += tokenBytes) {
    for (let c: usize = 0; c < <usize>columns; c++) {
      const sum = sums + (c << 3);
      store<f64>(sum, load<f64>(sum) + (load<f32>(x + (c << 2)) > 0 ? weight : 0));
    }
  }
}

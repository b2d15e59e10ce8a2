import { count, floatBytes, pointer } from './job';

/** The same number as in jobs.ts. */
const COLUMN_TILE: i32 = 64;

export function columnSquares(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const tokenBytes = floatBytes(pointer(fields, 1));
  const columns = count(fields, 2);
  const tokens = pointer(fields, 3);
  const squares = pointer(fields, 4);
  const positives = pointer(fields, 5);
  for (let tile = first; tile < end; tile++) {
    const from = tile * COLUMN_TILE;
    const size = min(COLUMN_TILE, columns - from);
    const row = x + floatBytes(from);
    addSquares(row, tokenBytes, size, tokens, squares + ((<usize>from) << 3));
    if (positives !== 0) countPositives(row, tokenBytes, size, tokens, positives + ((<usize>from) << 3));
  }
}

function addSquares(x: usize, tokenBytes: usize, columns: i32, tokens: usize, sums: usize): void {
  const pairs = <usize>(columns & ~1);
  for (let t: usize = 0; t < tokens; t++, x += tokenBytes) {
    for (let c: usize = 0; c < pairs; c += 2) {
      const value = f64x2.promote_low_f32x4(v128.load64_zero(x + (c << 2)));
      const sum = sums + (c << 3);
      v128.store(sum, f64x2.add(v128.load(sum), f64x2.mul(value, value)));
    }
    if (columns & 1) {
      const value = <f64>load<f32>(x + (pairs << 2));
      const sum = sums + (pairs << 3);
      store<f64>(sum, load<f64>(sum) + value * value);
    }
  }
}

function countPositives(x: usize, tokenBytes: usize, columns: i32, tokens: usize, counts: usize): void {
  for (let t: usize = 0; t < tokens; t++, x += tokenBytes) {
    for (let c: usize = 0; c < <usize>columns; c++) {
      const sum = counts + (c << 3);
      store<f64>(sum, load<f64>(sum) + (load<f32>(x + (c << 2)) > 0 ? 1 : 0));
    }
  }
}

import { MOMENT_TILE } from '../tiles';
import { count, floatBytes, pointer, real } from './job';

/** Columns that are summed up together: those of a tile's rows stay in the second cache. */
const BLOCK: i32 = 512;

export function secondMoments(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const tokenBytes = floatBytes(pointer(fields, 1));
  const columns = count(fields, 2);
  const tokens = pointer(fields, 3);
  const weight = real(fields, 4);
  const moments = pointer(fields, 5);
  for (let tile = first; tile < end; tile++) {
    const from = tile * MOMENT_TILE;
    const to = min(from + MOMENT_TILE, columns);
    for (let block = from; block < columns; block += BLOCK) {
      const blockEnd = min(block + BLOCK, columns);
      let row = x;
      for (let t: usize = 0; t < tokens; t++, row += tokenBytes) {
        for (let i = from; i < to; i++) {
          const factor = weight * <f64>load<f32>(row + floatBytes(i));
          if (factor !== 0) addScaledRow(row, factor, max(i, block), blockEnd, rowStart(moments, columns, i));
        }
      }
    }
  }
}

/** Where column 0 of row i would lie: rows before it have columns, columns - 1, … entries. */
function rowStart(moments: usize, columns: i32, i: i32): usize {
  const entries = <i64>i * <i64>columns - (<i64>i * <i64>(i - 1)) / 2 - <i64>i;
  return moments + ((<usize>entries) << 3);
}

function addScaledRow(x: usize, factor: f64, from: i32, to: i32, sums: usize): void {
  const factors = f64x2.splat(factor);
  let c = from;
  for (; c + 2 <= to; c += 2) {
    const sum = sums + ((<usize>c) << 3);
    const values = f64x2.promote_low_f32x4(v128.load64_zero(x + floatBytes(c)));
    v128.store(sum, f64x2.add(v128.load(sum), f64x2.mul(factors, values)));
  }
  if (c < to) {
    const sum = sums + ((<usize>c) << 3);
    store<f64>(sum, load<f64>(sum) + factor * <f64>load<f32>(x + floatBytes(c)));
  }
}

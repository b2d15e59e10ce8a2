import { ELIMINATION_BLOCK, ELIMINATION_CHUNK, ELIMINATION_TILE } from '../tiles';
import { count, pointer } from './job';
import { doubleBytes, rowAt, subtractProducts } from './triangle';

export function eliminateRows(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const triangle = pointer(fields, 0);
  const from = count(fields, 1);
  const to = count(fields, 2);
  const pivots = count(fields, 3);
  const firstRow = count(fields, 4);
  const lastRow = firstRow + count(fields, 5);
  for (let tile = first; tile < end; tile++) {
    const row = firstRow + tile * ELIMINATION_TILE;
    const rowEnd = min(row + ELIMINATION_TILE, lastRow);
    for (let k = 0; k < from; k += ELIMINATION_CHUNK) {
      subtractRows(triangle, row, rowEnd, from, to, k, min(k + ELIMINATION_CHUNK, from));
    }
    const solved = min(to, pivots);
    for (let block = from; block < solved; block += ELIMINATION_BLOCK) {
      const blockEnd = min(block + ELIMINATION_BLOCK, solved);
      subtractRows(triangle, row, rowEnd, block, blockEnd, from, block);
      for (let i = row; i < rowEnd; i++) solveRow(triangle, i, block, blockEnd);
    }
    subtractRows(triangle, row, rowEnd, solved, to, from, solved);
  }
}

/** a_ij -= sum over k of l_ik l_jk, from <= j < to, j <= i and fromPivot <= k < toPivot. */
function subtractRows(
  triangle: usize,
  row: i32,
  rowEnd: i32,
  from: i32,
  to: i32,
  fromPivot: i32,
  toPivot: i32,
): void {
  if (fromPivot >= toPivot) return;
  const start = doubleBytes(fromPivot);
  const last = min(to, rowEnd);
  for (let j = from; j < last; j += 2) {
    const columns = min(2, last - j);
    const b0 = rowAt(triangle, j) + start;
    const b1 = columns > 1 ? rowAt(triangle, j + 1) + start : b0;
    for (let i = row; i < rowEnd; i += 4) {
      const rows = min(4, rowEnd - i);
      if (j < i + rows) subtractProducts(triangle, i, rows, j, columns, b0, b1, fromPivot, toPivot);
    }
  }
}

/** Entries from <= j < to become those of L, but for products with entries before `from`. */
function solveRow(triangle: usize, i: i32, from: i32, to: i32): void {
  const row = rowAt(triangle, i);
  for (let j = from; j < to; j++) {
    const lower = rowAt(triangle, j);
    let rest = load<f64>(row + doubleBytes(j));
    for (let k = from; k < j; k++)
      rest -= load<f64>(row + doubleBytes(k)) * load<f64>(lower + doubleBytes(k));
    store<f64>(row + doubleBytes(j), rest / load<f64>(lower + doubleBytes(j)));
  }
}

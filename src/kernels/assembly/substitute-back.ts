import { SUBSTITUTION_PANEL, SUBSTITUTION_TILE } from '../tiles';
import { count, pointer } from './job';
import { doubleBytes, rowAt, subtractProducts } from './triangle';

/** A column of the transposed block, and a line of the cache, so that columns lie in sets of their own. */
const COLUMN_BYTES: usize = 8 * SUBSTITUTION_PANEL + 64;

export function substituteBack(fields: usize, scratch: usize, first: i32, end: i32): void {
  const triangle = pointer(fields, 0);
  const pivots = count(fields, 1);
  const firstRow = count(fields, 2);
  const lastRow = firstRow + count(fields, 3);
  for (let tile = first; tile < end; tile++) {
    const row = firstRow + tile * SUBSTITUTION_TILE;
    const rowEnd = min(row + SUBSTITUTION_TILE, lastRow);
    for (let panelEnd = pivots; panelEnd > 0; ) {
      const panel = ((panelEnd - 1) / SUBSTITUTION_PANEL) * SUBSTITUTION_PANEL;
      for (let i = row; i < rowEnd; i++) solvePanel(triangle, i, panel, panelEnd);
      for (let block = 0; block < panel; block += SUBSTITUTION_PANEL) {
        transposeBlock(triangle, panel, panelEnd, block, scratch);
        subtractBlock(triangle, row, rowEnd, panel, panelEnd, block, scratch);
      }
      panelEnd = panel;
    }
  }
}

/** Entries from <= j < to of row i become x, the products with those behind having been subtracted. */
function solvePanel(triangle: usize, i: i32, from: i32, to: i32): void {
  const row = rowAt(triangle, i);
  for (let j = to - 1; j >= from; j--) {
    const lower = rowAt(triangle, j);
    const x = load<f64>(row + doubleBytes(j)) / load<f64>(lower + doubleBytes(j));
    store<f64>(row + doubleBytes(j), x);
    const factor = f64x2.splat(x);
    let m = from;
    for (; m + 2 <= j; m += 2) {
      const at = row + doubleBytes(m);
      v128.store(at, f64x2.sub(v128.load(at), f64x2.mul(factor, v128.load(lower + doubleBytes(m)))));
    }
    if (m < j) {
      const at = row + doubleBytes(m);
      store<f64>(at, load<f64>(at) - x * load<f64>(lower + doubleBytes(m)));
    }
  }
}

/** Rows panel <= k < panelEnd of SUBSTITUTION_PANEL columns from `block` on, column after column. */
function transposeBlock(triangle: usize, panel: i32, panelEnd: i32, block: i32, into: usize): void {
  for (let k = panel; k < panelEnd; k++) {
    const row = rowAt(triangle, k) + doubleBytes(block);
    let at = into + doubleBytes(k - panel);
    for (let j = 0; j < SUBSTITUTION_PANEL; j++, at += COLUMN_BYTES) {
      store<f64>(at, load<f64>(row + doubleBytes(j)));
    }
  }
}

function subtractBlock(
  triangle: usize,
  row: i32,
  rowEnd: i32,
  panel: i32,
  panelEnd: i32,
  block: i32,
  transposed: usize,
): void {
  let at = transposed;
  for (let j = block; j < block + SUBSTITUTION_PANEL; j += 2, at += 2 * COLUMN_BYTES) {
    for (let i = row; i < rowEnd; i += 4) {
      subtractProducts(triangle, i, min(4, rowEnd - i), j, 2, at, at + COLUMN_BYTES, panel, panelEnd);
    }
  }
}

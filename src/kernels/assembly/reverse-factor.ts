import { TRANSPOSITION_TILE } from '../tiles';
import { factorRow } from './feedback-factor';
import { count, floatBytes, pointer } from './job';
import { doubleBytes, rowAt } from './triangle';

/** f32 of a cache line. */
const LINE: i32 = 16;

export function reverseFactor(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const triangle = pointer(fields, 0);
  const size = count(fields, 1);
  const columns = count(fields, 2);
  const factor = pointer(fields, 3);
  const pivots = pointer(fields, 4);
  for (let tile = first; tile < end; tile++) {
    const row = tile * TRANSPOSITION_TILE;
    const rowEnd = min(row + TRANSPOSITION_TILE, columns);
    const known = min(rowEnd, size);
    for (let j = 0; j < known; j += LINE) {
      for (let k = max(row, j + 1); k < known; k++) {
        copyLine(triangle, size, k, j, min(j + LINE, k), factorRow(factor, k));
      }
    }
    for (let k = row; k < rowEnd; k++) {
      const isKnown = k < size;
      const pivot = isKnown ? pivotOf(triangle, size - 1 - k) : 0;
      store<f32>(pivots + floatBytes(k), <f32>(pivot * pivot));
      if (!isKnown) memory.fill(factorRow(factor, k), 0, floatBytes(k));
    }
  }
}

function copyLine(triangle: usize, size: i32, k: i32, from: i32, to: i32, into: usize): void {
  const column = size - 1 - k;
  const pivot = pivotOf(triangle, column);
  for (let j = from; j < to; j++) {
    const value = load<f64>(rowAt(triangle, size - 1 - j) + doubleBytes(column));
    store<f32>(into + floatBytes(j), <f32>(value / pivot));
  }
}

function pivotOf(triangle: usize, i: i32): f64 {
  return load<f64>(rowAt(triangle, i) + doubleBytes(i));
}

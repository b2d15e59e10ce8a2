import { ROW_TILE, SPARSE_TILE } from '../tiles';
import { addFourScaled, addScaled } from './add-scaled';
import { count, floatBytes, pointer } from './job';
import { floatsOfRow } from './rows';

export function matmulSparse(fields: usize, scratch: usize, first: i32, end: i32): void {
  const weights = pointer(fields, 0);
  const scheme = count(fields, 1);
  const rowBytes = pointer(fields, 2);
  const rows = count(fields, 3);
  const columns = count(fields, 4);
  const x = pointer(fields, 5);
  const xTokenBytes = floatBytes(pointer(fields, 6));
  const y = pointer(fields, 7);
  const yTokenBytes = floatBytes(pointer(fields, 8));
  const used = pointer(fields, 9);

  const tilesPerToken = (columns + SPARSE_TILE - 1) / SPARSE_TILE;
  const indices = scratch + floatBytes(ROW_TILE * SPARSE_TILE);
  for (let tile = first; tile < end; tile++) {
    const t = <usize>(tile / tilesPerToken);
    const c = (tile % tilesPerToken) * SPARSE_TILE;
    const tokenX = x + t * xTokenBytes;
    const n = findNonzero(tokenX, rows, indices);
    if (c === 0) store<i32>(used + floatBytes(t), n);
    addRows(
      scheme,
      weights + (<usize>c * rowBytes) / columns,
      rowBytes,
      min<i32>(SPARSE_TILE, columns - c),
      tokenX,
      indices,
      n,
      y + t * yTokenBytes + floatBytes(c),
      scratch,
    );
  }
}

/** Writes the indices of the values that are not zero, ascending; returns how many there are. */
function findNonzero(x: usize, rows: i32, indices: usize): i32 {
  let n = 0;
  for (let r = 0; r < rows; r++) {
    // Written in any case: the next one replaces the index of a zero.
    store<i32>(indices + floatBytes(n), r);
    n += i32(load<f32>(x + floatBytes(r)) !== 0);
  }
  return n;
}

/** y = sum of x[r] times the piece of row r, over the `n` rows at `indices`. */
function addRows(
  scheme: i32,
  weights: usize,
  rowBytes: usize,
  columns: i32,
  x: usize,
  indices: usize,
  n: i32,
  y: usize,
  scratch: usize,
): void {
  const pieceFloats = floatBytes(columns);
  memory.fill(y, 0, pieceFloats);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const at = indices + floatBytes(i);
    const r0 = <usize>load<i32>(at);
    const r1 = <usize>load<i32>(at, 4);
    const r2 = <usize>load<i32>(at, 8);
    const r3 = <usize>load<i32>(at, 12);
    addFourScaled(
      y,
      columns,
      load<f32>(x + floatBytes(r0)),
      load<f32>(x + floatBytes(r1)),
      load<f32>(x + floatBytes(r2)),
      load<f32>(x + floatBytes(r3)),
      floatsOfRow(scheme, weights + r0 * rowBytes, scratch, columns),
      floatsOfRow(scheme, weights + r1 * rowBytes, scratch + pieceFloats, columns),
      floatsOfRow(scheme, weights + r2 * rowBytes, scratch + 2 * pieceFloats, columns),
      floatsOfRow(scheme, weights + r3 * rowBytes, scratch + 3 * pieceFloats, columns),
    );
  }
  for (; i < n; i++) {
    const r = <usize>load<i32>(indices + floatBytes(i));
    const w = floatsOfRow(scheme, weights + r * rowBytes, scratch, columns);
    addScaled(y, columns, load<f32>(x + floatBytes(r)), w);
  }
}

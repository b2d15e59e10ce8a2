import { TRANSPOSED_TILE } from '../tiles';
import { addFourScaled, addScaled } from './add-scaled';
import { count, floatBytes, pointer } from './job';
import { floatsOfRow } from './rows';

export function matmulTransposed(fields: usize, scratch: usize, first: i32, end: i32): void {
  const weights = pointer(fields, 0);
  const scheme = count(fields, 1);
  const rowBytes = pointer(fields, 2);
  const rows = count(fields, 3);
  const columns = count(fields, 4);
  const weightsBatchBytes = pointer(fields, 6);
  const x = pointer(fields, 7);
  const xTokenBytes = floatBytes(pointer(fields, 8));
  const xBatchBytes = floatBytes(pointer(fields, 9));
  const y = pointer(fields, 10);
  const yTokenBytes = floatBytes(pointer(fields, 11));
  const yBatchBytes = floatBytes(pointer(fields, 12));
  const tokens = count(fields, 13);

  const tilesPerMatrix = (columns + TRANSPOSED_TILE - 1) / TRANSPOSED_TILE;
  for (let tile = first; tile < end; tile++) {
    const b = <usize>(tile / tilesPerMatrix);
    const c = (tile % tilesPerMatrix) * TRANSPOSED_TILE;
    multiplyColumns(
      scheme,
      weights + b * weightsBatchBytes + (<usize>c * rowBytes) / columns,
      rowBytes,
      rows,
      min<i32>(TRANSPOSED_TILE, columns - c),
      x + b * xBatchBytes,
      xTokenBytes,
      y + b * yBatchBytes + floatBytes(c),
      yTokenBytes,
      tokens,
      scratch,
    );
  }
}

/** y = sum of x[r] times the piece of row r, for every token. */
function multiplyColumns(
  scheme: i32,
  weights: usize,
  rowBytes: usize,
  rows: i32,
  columns: i32,
  x: usize,
  xTokenBytes: usize,
  y: usize,
  yTokenBytes: usize,
  tokens: i32,
  scratch: usize,
): void {
  const pieceFloats = floatBytes(columns);
  for (let t = 0; t < tokens; t++) memory.fill(y + <usize>t * yTokenBytes, 0, pieceFloats);
  let r = 0;
  for (; r + 4 <= rows; r += 4) {
    const row = weights + <usize>r * rowBytes;
    const w0 = floatsOfRow(scheme, row, scratch, columns);
    const w1 = floatsOfRow(scheme, row + rowBytes, scratch + pieceFloats, columns);
    const w2 = floatsOfRow(scheme, row + 2 * rowBytes, scratch + 2 * pieceFloats, columns);
    const w3 = floatsOfRow(scheme, row + 3 * rowBytes, scratch + 3 * pieceFloats, columns);
    for (let t = 0; t < tokens; t++) {
      const a = x + <usize>t * xTokenBytes + floatBytes(r);
      addFourScaled(
        y + <usize>t * yTokenBytes,
        columns,
        load<f32>(a),
        load<f32>(a, 4),
        load<f32>(a, 8),
        load<f32>(a, 12),
        w0,
        w1,
        w2,
        w3,
      );
    }
  }
  for (; r < rows; r++) {
    const w = floatsOfRow(scheme, weights + <usize>r * rowBytes, scratch, columns);
    for (let t = 0; t < tokens; t++) {
      const a = load<f32>(x + <usize>t * xTokenBytes + floatBytes(r));
      addScaled(y + <usize>t * yTokenBytes, columns, a, w);
    }
  }
}

import { ROW_TILE } from '../tiles';
import { count, floatBytes, pointer } from './job';
import { multiplyTile } from './matmul-tile';
import { floatsOfRow } from './rows';

export function matmul(fields: usize, scratch: usize, first: i32, end: i32): void {
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

  const tilesPerMatrix = (rows + ROW_TILE - 1) / ROW_TILE;
  const rowFloats = floatBytes(columns);
  for (let tile = first; tile < end; tile++) {
    const b = <usize>(tile / tilesPerMatrix);
    const r = (tile % tilesPerMatrix) * ROW_TILE;
    const tileRows = min<i32>(ROW_TILE, rows - r);
    const row = weights + b * weightsBatchBytes + <usize>r * rowBytes;
    const w0 = floatsOfRow(scheme, row, scratch, columns);
    // A short tile multiplies its first row again; the surplus sums are not stored.
    let w1 = w0;
    let w2 = w0;
    let w3 = w0;
    if (tileRows > 1) w1 = floatsOfRow(scheme, row + rowBytes, scratch + rowFloats, columns);
    if (tileRows > 2) w2 = floatsOfRow(scheme, row + 2 * rowBytes, scratch + 2 * rowFloats, columns);
    if (tileRows > 3) w3 = floatsOfRow(scheme, row + 3 * rowBytes, scratch + 3 * rowFloats, columns);
    const tileX = x + b * xBatchBytes;
    const tileY = y + b * yBatchBytes + floatBytes(r);
    multiplyTile(w0, w1, w2, w3, tileRows, columns, tileX, xTokenBytes, tileY, yTokenBytes, tokens);
  }
}

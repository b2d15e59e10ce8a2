import { initializerBytes } from '../check/value-type.ts';
import type { FloatsRequest, ReadInitializer } from './weight-request.ts';

/** Brings floats to `area`, row by row. */
export async function loadFloats(
  request: FloatsRequest,
  area: Uint8Array,
  read: ReadInitializer,
): Promise<void> {
  if (!request.transposed) return read(request.data, area);
  const file = new Uint8Array(initializerBytes(request.data));
  await read(request.data, file);
  const { rows, columns, batch } = request;
  const Words = request.data.type === 'float16' ? Uint16Array : Uint32Array;
  const source = new Words(file.buffer);
  const target = new Words(area.buffer as ArrayBuffer, area.byteOffset, source.length);
  for (let first = 0; first < batch * rows * columns; first += rows * columns) {
    transposeInto(target, source, first, rows, columns);
  }
}

/** Rows written in order; the columns of the file that a cache line holds are read while it is there. */
function transposeInto(
  target: Uint16Array | Uint32Array,
  source: Uint16Array | Uint32Array,
  first: number,
  rows: number,
  columns: number,
): void {
  const tile = 16;
  for (let top = 0; top < rows; top += tile) {
    const end = Math.min(top + tile, rows);
    for (let c = 0; c < columns; c++) {
      for (let r = top; r < end; r++) target[first + r * columns + c] = source[first + c * rows + r]!;
    }
  }
}

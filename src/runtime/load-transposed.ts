import { type SchemeName, schemeBytes, transposedScheme } from '../core/scheme.ts';
import { columnCount, rowBytes, rowCount, rowRanges, type Tensor } from '../core/tensor.ts';
import type { Pointer, SharedViews } from '../kernels/memory.ts';
import { decoderOf } from '../schemes/index.ts';

/** Rows held at once, decoded: large beside the cost of a read, small beside a matrix. */
const PART_BYTES = 4 << 20;
/** Rows turned at once: their values of one column fill a cache line. */
const TURNED_ROWS = 32;

/** Brings a tensor of [rows, columns] to `pointer` as [columns, rows] in its `transposedScheme`. */
export async function loadTransposed(
  views: SharedViews,
  tensor: Tensor,
  pointer: Pointer,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [rows, columns, storedRow] = [rowCount(tensor), columnCount(tensor), rowBytes(tensor)];
  const scheme = transposedScheme(tensor.scheme);
  const target = elements(scheme, views.buffer, pointer);
  const budget = (PART_BYTES * storedRow) / schemeBytes(scheme, columns);
  for (const range of rowRanges(tensor, budget)) {
    const stored = new Uint8Array(range.count * storedRow);
    await tensor.readRows(range, stored, signal);
    const part = scheme === tensor.scheme ? stored : decoded(tensor.scheme, stored, range.count * columns);
    turn(elements(scheme, part.buffer, 0), range.count, columns, target.subarray(range.first), rows);
  }
}

function decoded(scheme: SchemeName, stored: Uint8Array, count: number): Float32Array {
  const values = new Float32Array(count);
  decoderOf(scheme)(stored, 0, values, 0, count);
  return values;
}

/** What lies from `pointer` on, as words of the size of an element of a float scheme. */
function elements(scheme: SchemeName, buffer: ArrayBufferLike, pointer: Pointer): Uint16Array | Uint32Array {
  return scheme === 'F32' ? new Uint32Array(buffer, pointer) : new Uint16Array(buffer, pointer);
}

/** target[c, r] = source[r, c], where rows of the target are `stride` apart. */
function turn(
  source: Uint16Array | Uint32Array,
  rows: number,
  columns: number,
  target: Uint16Array | Uint32Array,
  stride: number,
): void {
  for (let first = 0; first < rows; first += TURNED_ROWS) {
    const end = Math.min(first + TURNED_ROWS, rows);
    for (let c = 0; c < columns; c++) {
      for (let r = first; r < end; r++) target[c * stride + r] = source[r * columns + c]!;
    }
  }
}

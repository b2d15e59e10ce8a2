import { SCHEMES, transposedScheme } from '../../core/scheme.ts';
import {
  columnCount,
  type RowRange,
  roundedScheme,
  rowBytes,
  rowCount,
  rowRanges,
  type Tensor,
} from '../../core/tensor.ts';
import { decoderOf } from '../../schemes/index.ts';

/** Rows of the source that are held at once, as they are stored. */
const READ_BYTES = 1 << 20;
/** What is read at once costs a pass over the whole source: the more, the fewer. */
const STEP_BYTES = 8 << 20;
/** Rows turned at once: their values of one column fill a cache line. */
const TURNED_ROWS = 32;

/**
 * A matrix of [rows, columns] as [columns, rows], in its `transposedScheme`. Every read goes through all rows
 * of the source, a part at a time, and decodes no columns but those it wants.
 */
export function transposed(source: Tensor): Tensor {
  const shape = [columnCount(source), rowCount(source)];
  const scheme = transposedScheme(source.scheme);
  const stepRows = Math.max(1, Math.floor(STEP_BYTES / rowBytes({ shape, scheme })));
  return {
    ...source,
    scheme,
    shape,
    roundedIn: roundedScheme(source),
    rowStep: Math.min(stepRows, shape[0]!),
    async readRows(range, into, signal) {
      const target = elements(scheme, into);
      const parts = [...rowRanges(source, READ_BYTES)];
      const buffer = new Uint8Array(parts[0]!.count * rowBytes(source));
      for (const part of parts) {
        const stored = buffer.subarray(0, part.count * rowBytes(source));
        await source.readRows(part, stored, signal);
        const { values, stride, first } = columnsOf(source, stored, part.count, range);
        turn(
          { values, stride, first, rows: part.count, columns: range.count },
          target.subarray(part.first),
          shape[1]!,
        );
      }
    },
  };
}

type Elements = Uint16Array | Uint32Array;

/** Floats as words of their size. */
function elements(scheme: Tensor['scheme'], { buffer, byteOffset, byteLength }: Uint8Array): Elements {
  return scheme === 'F32'
    ? new Uint32Array(buffer, byteOffset, byteLength / 4)
    : new Uint16Array(buffer, byteOffset, byteLength / 2);
}

/** Rows of values `stride` apart, in which the wanted columns begin at `first`. */
function columnsOf(source: Tensor, stored: Uint8Array, rows: number, wanted: RowRange) {
  const { blockSize } = SCHEMES[source.scheme];
  const columns = columnCount(source);
  if (blockSize === 1)
    return { values: elements(source.scheme, stored), stride: columns, first: wanted.first };
  const decode = decoderOf(source.scheme);
  const start = Math.floor(wanted.first / blockSize) * blockSize;
  const end = Math.ceil((wanted.first + wanted.count) / blockSize) * blockSize;
  const stride = end - start;
  const values = new Float32Array(rows * stride);
  const blockBytes = rowBytes(source) / (columns / blockSize);
  for (let row = 0; row < rows; row++) {
    const at = row * rowBytes(source) + (start / blockSize) * blockBytes;
    decode(stored, at, values, row * stride, stride);
  }
  return { values: new Uint32Array(values.buffer), stride, first: wanted.first - start };
}

interface Turned {
  readonly values: Elements;
  readonly stride: number;
  readonly first: number;
  readonly rows: number;
  readonly columns: number;
}

/** target[c, r] = values[r, first + c], where rows of the target are `targetStride` apart. */
function turn(
  { values, stride, first, rows, columns }: Turned,
  target: Elements,
  targetStride: number,
): void {
  for (let begin = 0; begin < rows; begin += TURNED_ROWS) {
    const end = Math.min(begin + TURNED_ROWS, rows);
    for (let c = 0; c < columns; c++) {
      for (let r = begin; r < end; r++) target[c * targetStride + r] = values[r * stride + first + c]!;
    }
  }
}

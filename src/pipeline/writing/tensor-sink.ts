import { type PlannedTensor, plannedRows } from '../../core/export-plan.ts';
import { schemeBytes } from '../../core/scheme.ts';
import { columnCount } from '../../core/tensor.ts';

/** A tensor on its way into a file. */
export interface TensorSink {
  readonly tensor: PlannedTensor;
  /** Writes bytes at an offset of the file. Several writes may be under way at once. */
  readonly write: (bytes: Uint8Array, offset: number) => Promise<void>;
}

/**
 * By the turn of their statistics, then by where sources lie: each source file is read once and, where there
 * are no turns, front to back.
 */
export function inReadingOrder<T extends Pick<TensorSink, 'tensor'>>(tensors: readonly T[]): T[] {
  return tensors.toSorted((a, b) => {
    const [x, y] = [a.tensor.source.origin, b.tensor.source.origin];
    return turnOf(a.tensor) - turnOf(b.tensor) || x.file - y.file || x.offset - y.offset;
  });
}

function turnOf({ feedback, importance }: PlannedTensor): number {
  return feedback?.turn ?? importance?.turn ?? 0;
}

/** Bytes of one row of a tensor in its scheme, before packing. */
export function encodedRowBytes({ scheme, source }: Pick<PlannedTensor, 'scheme' | 'source'>): number {
  return schemeBytes(scheme, columnCount(source));
}

/** Bytes of a file. */
export interface Place {
  readonly offset: number;
  readonly bytes: number;
}

/** The ranges of a tensor in its file: its rows, or the parts of their packing one after the other. */
export function placesOf(tensor: PlannedTensor): Place[] {
  const { count } = plannedRows(tensor);
  const parts = tensor.packing?.parts ?? [{ offset: tensor.offset, rowBytes: encodedRowBytes(tensor) }];
  return parts.map(({ offset, rowBytes }) => ({ offset, bytes: rowBytes * count }));
}

/**
 * Writes encoded rows, from row `first` of the source on, to their places. `rows` must stay until that is
 * done.
 */
export async function writeRows(
  { tensor, write }: TensorSink,
  first: number,
  rows: Uint8Array,
): Promise<void> {
  const before = first - plannedRows(tensor).first;
  const encoded = encodedRowBytes(tensor);
  if (tensor.packing === undefined) return write(rows, tensor.offset + before * encoded);
  const { parts, pack } = tensor.packing;
  const packed = parts.map(({ rowBytes }) => new Uint8Array((rows.length / encoded) * rowBytes));
  pack(rows, packed);
  await Promise.all(
    parts.map(({ offset, rowBytes }, part) => write(packed[part]!, offset + before * rowBytes)),
  );
}

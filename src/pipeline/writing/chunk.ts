import { plannedRows } from '../../core/export-plan.ts';
import { type RowRange, rowBytes, rowRanges } from '../../core/tensor.ts';
import type { Written } from './ledger.ts';
import { encodedRowBytes, type TensorSink } from './tensor-sink.ts';
import { rowsPerChunk } from './working-memory.ts';

/** Rows of a tensor that move together. */
export interface Chunk extends TensorSink {
  readonly range: RowRange;
  readonly sourceBytes: number;
  readonly targetBytes: number;
  readonly isLast: boolean;
  /** What the ledger says of the tensor. */
  readonly known: Written | undefined;
}

/** The chunks of a tensor that fit in slots of `slotBytes`. */
export function* chunksOf(
  { tensor, write }: TensorSink,
  slotBytes: number,
  known: Written | undefined,
): Generator<Chunk> {
  const { source } = tensor;
  const rows = plannedRows(tensor);
  const sourceRow = rowBytes(source);
  const targetRow = encodedRowBytes(tensor);
  for (const range of rowRanges(source, rowsPerChunk(tensor, slotBytes) * sourceRow, rows)) {
    yield {
      tensor,
      write,
      range,
      known,
      sourceBytes: range.count * sourceRow,
      targetBytes: range.count * targetRow,
      isLast: range.first + range.count === rows.first + rows.count,
    };
  }
}

export function bytesToWrite(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { known, targetBytes }) => sum + (known === undefined ? targetBytes : 0), 0);
}

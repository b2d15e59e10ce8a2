import { rowBytes, type Tensor } from '../../core/tensor.ts';
import { leastCommonMultiple } from './float-rows.ts';

/**
 * A tensor whose row `r` is row `sourceRow(r)` of `source`, both in the same group of `groupRows` rows.
 * A range is read in one piece, in the order of the source file, and rearranged in the caller's memory;
 * the only memory beside it is one group. Rows are whole blocks, so every scheme can be reordered.
 */
export function reorderRows(source: Tensor, groupRows: number, sourceRow: (row: number) => number): Tensor {
  const bytes = rowBytes(source);
  return {
    ...source,
    rowStep: leastCommonMultiple(source.rowStep, groupRows),
    async readRows(range, into, signal) {
      await source.readRows(range, into, signal);
      const group = new Uint8Array(groupRows * bytes);
      for (let start = 0; start < range.count; start += groupRows) {
        group.set(into.subarray(start * bytes, (start + groupRows) * bytes));
        for (let row = start; row < start + groupRows; row++) {
          const from = sourceRow(range.first + row) - range.first - start;
          into.set(group.subarray(from * bytes, (from + 1) * bytes), row * bytes);
        }
      }
    },
  };
}

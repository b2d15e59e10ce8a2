import { rowBytes, type Tensor } from '../../core/tensor.ts';

/** Rows between two wanted ones that are read along rather than sought past. */
const READ_BYTES = 256 << 10;

/**
 * A tensor whose row `r` is row `order[r]` of `source`. The rows of a range are read in the order of the
 * source, in runs of at most `READ_BYTES`, which is all the memory beside the caller's.
 */
export function gatherRows(source: Tensor, order: Int32Array): Tensor {
  const bytes = rowBytes(source);
  return {
    ...source,
    shape: [order.length, ...source.shape.slice(1)],
    rowStep: 1,
    async readRows({ first, count }, into, signal) {
      const wanted = Array.from({ length: count }, (_, row) => row).sort(
        (a, b) => order[first + a]! - order[first + b]!,
      );
      const buffer = new Uint8Array(Math.max(READ_BYTES, source.rowStep * bytes));
      const capacity = Math.floor(buffer.length / bytes / source.rowStep) * source.rowStep;
      const rows = source.shape[0]!;
      for (let next = 0; next < wanted.length; ) {
        const sourceRow = order[first + wanted[next]!]!;
        const start = sourceRow - (sourceRow % source.rowStep);
        let end = next;
        while (end < wanted.length && order[first + wanted[end]!]! < start + capacity) end++;
        const last = order[first + wanted[end - 1]!]!;
        const read = Math.min(rows, last - (last % source.rowStep) + source.rowStep) - start;
        await source.readRows({ first: start, count: read }, buffer.subarray(0, read * bytes), signal);
        for (; next < end; next++) {
          const at = (order[first + wanted[next]!]! - start) * bytes;
          into.set(buffer.subarray(at, at + bytes), wanted[next]! * bytes);
        }
      }
    },
  };
}

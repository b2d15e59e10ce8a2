import { columnCount, rowBytes, type Tensor } from '../core/tensor.ts';
import { codecOf } from '../schemes/index.ts';

/** Enough to hide the cost of a read, and too little to count as memory. */
const READ_BYTES = 256 << 10;

/** Rewrites `values`, row `row` of a tensor, in place. */
export type RowRewrite = (values: Float32Array, row: number) => void;

/**
 * A tensor of F32 whose rows are those of `source`, decoded and rewritten when they are read. Rounding back to the
 * source's scheme is left to the exporter, which knows the scheme that is wanted. Beside the caller's memory it holds
 * `READ_BYTES` of stored rows, one row step at least.
 */
export function rewriteRows(source: Tensor, rewrite: RowRewrite): Tensor {
  const columns = columnCount(source);
  const stored = rowBytes(source);
  const { decode } = codecOf(source.scheme);
  return {
    ...source,
    scheme: 'F32',
    async readRows(range, into, signal) {
      const step = Math.max(1, Math.floor(READ_BYTES / stored / source.rowStep)) * source.rowStep;
      const bytes = new Uint8Array(Math.min(step, range.count) * stored);
      const row = new Float32Array(columns);
      for (let start = 0; start < range.count; start += step) {
        const count = Math.min(step, range.count - start);
        const first = range.first + start;
        await source.readRows({ first, count }, bytes.subarray(0, count * stored), signal);
        for (let r = 0; r < count; r++) {
          decode(bytes, r * stored, row, 0, columns);
          rewrite(row, first + r);
          into.set(new Uint8Array(row.buffer), 4 * columns * (start + r));
        }
      }
    },
  };
}

/** All values of a small tensor, such as a norm, as floats. */
export async function readFloats(tensor: Tensor, signal?: AbortSignal): Promise<Float32Array> {
  const columns = columnCount(tensor);
  const rows = tensor.shape.slice(0, -1).reduce((product, n) => product * n, 1);
  const stored = new Uint8Array(rows * rowBytes(tensor));
  await tensor.readRows({ first: 0, count: rows }, stored, signal);
  const values = new Float32Array(rows * columns);
  codecOf(tensor.scheme).decode(stored, 0, values, 0, values.length);
  return values;
}

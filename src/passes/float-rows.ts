import { columnCount, rowBytes, type Tensor } from '../core/tensor.ts';
import { codecOf } from '../schemes/index.ts';

/** Rewrites `values`, row `row` of a tensor, in place. */
export type RowRewrite = (values: Float32Array, row: number) => void;

/**
 * A tensor of F32 whose rows are those of `source`, decoded and rewritten when they are read. Rounding back to the
 * source's scheme is left to the exporter, which knows the scheme that is wanted. Beside the caller's memory it holds
 * the stored bytes of the rows that are read at once.
 */
export function rewriteRows(source: Tensor, rewrite: RowRewrite): Tensor {
  const columns = columnCount(source);
  const stored = rowBytes(source);
  const { decode } = codecOf(source.scheme);
  return {
    ...source,
    scheme: 'F32',
    async readRows(range, into, signal) {
      const bytes = new Uint8Array(range.count * stored);
      await source.readRows(range, bytes, signal);
      const row = new Float32Array(columns);
      for (let r = 0; r < range.count; r++) {
        decode(bytes, r * stored, row, 0, columns);
        rewrite(row, range.first + r);
        into.set(new Uint8Array(row.buffer), 4 * columns * r);
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

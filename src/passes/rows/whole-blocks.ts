import { columnCount, type Tensor } from '../../core/tensor.ts';
import { projectRows } from './float-rows.ts';

/**
 * The tensor itself, or one of F32 whose rows are longer by some zeros: whole blocks of `blockSize` columns.
 */
export function padToBlocks(tensor: Tensor, blockSize: number): Tensor {
  const columns = columnCount(tensor);
  const padded = Math.ceil(columns / blockSize) * blockSize;
  if (padded === columns) return tensor;
  return projectRows(tensor, padded, () =>
    Promise.resolve((values, into) => {
      into.fill(0);
      into.set(values);
    }),
  );
}

/** The inverse: the tensor itself, or one of F32 with the first `columns` columns. */
export function cropColumns(tensor: Tensor, columns: number): Tensor {
  if (columnCount(tensor) === columns) return tensor;
  return projectRows(tensor, columns, () =>
    Promise.resolve((values, into) => into.set(values.subarray(0, columns))),
  );
}

import type { TensorSlot } from '../../src/core/names.ts';
import { columnCount, rowCount, type Tensor } from '../../src/core/tensor.ts';
import { transposed } from '../../src/passes/rows/transpose.ts';
import { cropColumns, padToBlocks } from '../../src/passes/rows/whole-blocks.ts';
import type { BundleTensor } from '../../src/webgpu/manifest.ts';
import { BLOCK } from '../../src/webgpu/planes.ts';

/** How a bundle lays out a tensor of a PLM: all but the scheme and the places. */
export function storedLayout({ role, shape }: TensorSlot): Pick<BundleTensor, 'rows' | 'columns' | 'layout'> {
  const [rows, columns] = [rowCount({ shape }), columnCount({ shape })];
  return role === 'down_proj'
    ? { rows: columns, columns: rows, layout: 'neurons' }
    : { rows, columns, layout: 'rows' };
}

/** A tensor of a model in the order and length of the rows that a bundle stores. */
export function toStoredForm(slot: TensorSlot, tensor: Tensor): Tensor {
  const { layout } = storedLayout(slot);
  return padToBlocks(layout === 'neurons' ? transposed(tensor) : tensor, BLOCK);
}

/** The inverse: a tensor as models have it, of the rows that a bundle stores. */
export function fromStoredForm(slot: TensorSlot, stored: Tensor): Tensor {
  const { columns, layout } = storedLayout(slot);
  const cropped = cropColumns(stored, columns);
  return layout === 'neurons' ? transposed(cropped) : cropped;
}

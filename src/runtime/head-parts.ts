import type { PlmConfig } from '../core/config.ts';
import type { Model } from '../core/model.ts';
import { modelTensorName } from '../core/names.ts';
import { type RowRange, rowBytes, rowRanges, type Tensor } from '../core/tensor.ts';
import type { Pointer, SharedViews } from '../kernels/memory.ts';
import type { Matrix } from './operations.ts';
import { matrixAt } from './weights.ts';

/** Rows of the head that are in memory at once, one row step at least. */
const HEAD_BYTES = 8 << 20;

/** Rows of the head from number `first` on. */
export interface HeadPart {
  readonly matrix: Matrix;
  readonly first: number;
}

/** Rows of the largest part. */
export function headPartRows(model: Model): number {
  return headRanges(headOf(model))[0]!.count;
}

/** Bytes of the largest part. */
export function headPartBytes(model: Model): number {
  return headPartRows(model) * rowBytes(headOf(model));
}

/** Brings one part of the head after the other to `area`. */
export async function* readHead(
  model: Model,
  views: SharedViews,
  area: Pointer,
  signal: AbortSignal | undefined,
): AsyncGenerator<HeadPart, void> {
  const head = headOf(model);
  for (const range of headRanges(head)) {
    const matrix = matrixAt(area, { ...head, shape: [range.count, ...head.shape.slice(1)] });
    await head.readRows(range, views.bytes(area, range.count * matrix.rowBytes), signal);
    yield { matrix, first: range.first };
  }
}

export function headOf({ config, tensors }: Model): Tensor {
  return tensors.get(headName(config))!;
}

export function headName({ tieWordEmbeddings }: PlmConfig): string {
  return modelTensorName(tieWordEmbeddings ? 'embed_tokens' : 'lm_head');
}

function headRanges(head: Tensor): RowRange[] {
  return [...rowRanges(head, HEAD_BYTES)];
}

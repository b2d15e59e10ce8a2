import { SCHEMES, type SchemeName, schemeBytes } from '../core/scheme.ts';
import type { Job } from './jobs.ts';
import type { Pointer } from './memory.ts';

/** A matrix, stored row by row, times `tokens` vectors. */
export interface MatrixProduct {
  readonly weights: Pointer;
  readonly scheme: SchemeName;
  readonly rows: number;
  readonly columns: number;
  /** Vectors of `columns` f32, one behind the other. */
  readonly x: Pointer;
  /** Room for as many vectors of `rows` f32. */
  readonly y: Pointer;
  readonly tokens: number;
}

/** The job of `matmul` for one matrix without heads, whose vectors lie side by side. */
export function matrixProduct({ scheme, ...product }: MatrixProduct): Job<'matmul'> {
  const { rows, columns } = product;
  return {
    ...product,
    scheme: SCHEMES[scheme].ggmlType,
    rowBytes: schemeBytes(scheme, columns),
    batch: 1,
    weightsBatchBytes: 0,
    xTokenStride: columns,
    xBatchStride: 0,
    yTokenStride: rows,
    yBatchStride: 0,
  };
}

import type { SchemeName } from '../../core/scheme.ts';
import type { Pointer } from '../../kernels/memory.ts';

/** A constant matrix in the working memory, row-major, or several of the same shape one behind the other. */
export interface StoredMatrix {
  readonly pointer: Pointer;
  readonly scheme: SchemeName;
  readonly rowBytes: number;
  readonly rows: number;
  /** Whole blocks: those of the graph and columns that are multiplied by zero. */
  readonly columns: number;
}

/** One of several. */
export function matrixOf(matrix: StoredMatrix, index: number): StoredMatrix {
  return { ...matrix, pointer: matrix.pointer + index * matrix.rows * matrix.rowBytes };
}

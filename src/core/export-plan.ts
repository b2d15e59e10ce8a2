import { type SchemeName, schemeBytes } from './scheme.ts';
import { columnCount, rowCount, type Tensor } from './tensor.ts';

/**
 * What lets columns make up for the rounding of those before them. It is computed when asked for, and of the size of half a
 * square matrix.
 */
export interface Feedback {
  /** Of the tensor that is rounded. */
  readonly columns: number;
  /**
   * How much of the error of column j column k takes over, j < k: row j from column j + 1 on, row after row,
   * columns * (columns - 1) / 2 values.
   */
  coefficients(signal?: AbortSignal): Promise<Float32Array>;
}

/** A tensor's place in an artifact file. */
export interface PlannedTensor {
  readonly source: Tensor;
  /** Name in the artifact. */
  readonly name: string;
  /** Scheme it is stored in there. */
  readonly scheme: SchemeName;
  /** Byte offset in the file; with `packing`, that of its first part. */
  readonly offset: number;
  /** With Q8_0: one scale a row, the same in all of its blocks. */
  readonly byRow?: true;
  /** With Q4_0: round with error feedback. */
  readonly feedback?: Feedback;
  /** Where the parts of its blocks go, if not side by side at `offset`. */
  readonly packing?: Packing;
  /** Weights of the squared errors, one a column, for schemes that take them. */
  readonly importance?: Float32Array;
}

/** A layout of encoded rows that keeps the parts of blocks, such as codes and scales, each in a run of its own. */
export interface Packing {
  readonly parts: readonly {
    /** Byte offset of the part of row 0 in the file. */
    readonly offset: number;
    readonly rowBytes: number;
  }[];
  /** Takes rows of blocks apart: fills `rowBytes` bytes a row of each part. */
  pack(rows: Uint8Array, parts: readonly Uint8Array[]): void;
}

/** Bytes that a tensor takes in its file. */
export function plannedBytes({ source, scheme, packing }: PlannedTensor): number {
  const row =
    packing?.parts.reduce((sum, part) => sum + part.rowBytes, 0) ?? schemeBytes(scheme, columnCount(source));
  return row * rowCount(source);
}

/** Bytes known before any weight is read: headers, metadata. */
export interface PlannedBytes {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface PlannedFile {
  /** Path relative to the output folder. */
  readonly name: string;
  /** Exact size. Bytes covered neither by `head` nor by a tensor are zero padding. */
  readonly bytes: number;
  readonly head: readonly PlannedBytes[];
  readonly tensors: readonly PlannedTensor[];
}

/** A tensor that could not take the scheme that the recipe wanted. */
export interface Fallback {
  readonly tensor: string;
  readonly wanted: SchemeName;
  readonly used: SchemeName;
  readonly reason: string;
}

/** What an exporter returns: every offset and the exact sizes, before a byte of a weight is read. */
export interface ExportPlan {
  /** As given on the command line, e.g. `gguf:q8_0`. */
  readonly target: string;
  readonly files: readonly PlannedFile[];
  readonly fallbacks: readonly Fallback[];
  /** What the exporter ignored or assumed, one line each, for the person who converts. */
  readonly notes: readonly string[];
}

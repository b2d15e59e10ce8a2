import type { Progress } from './jobs/progress.ts';
import { type SchemeName, schemeBytes } from './scheme.ts';
import type { InputStatistics, Moments } from './statistics.ts';
import { columnCount, type RowRange, rowCount, type Tensor } from './tensor.ts';

/** Weights of the squared errors of the columns of a matrix. */
export interface Importance extends Pick<InputStatistics, 'turn'> {
  /** One value per column. */
  values(signal?: AbortSignal): Promise<Float32Array>;
}

/** How the columns of a matrix compensate for the rounding of earlier ones: by the moments of its inputs. */
export interface Feedback extends Pick<InputStatistics, 'turn'> {
  /** Of the tensor that is rounded. Those behind the moments pad its rows, and compensate nothing. */
  readonly columns: number;
  readonly moments: Moments;
  /** Share of the products of two channels that is taken for chance. */
  readonly chance: number;
  /** What all columns are worth beside their moments, of the mean of the diagonal. */
  readonly flat: number;
  /** Whether scales are chosen again once their codes are known. */
  readonly refit: boolean;
  /** Whether codes are chosen again beside the others of their window. */
  readonly descent: boolean;
}

/** A tensor's place in an artifact file. */
export interface PlannedTensor {
  readonly source: Tensor;
  /** Name in the artifact. */
  readonly name: string;
  /** Scheme it is stored in there. */
  readonly scheme: SchemeName;
  /** The rows that are stored here, from a multiple of its row step on. Left out: all. */
  readonly rows?: RowRange;
  /** Byte offset of the first of these rows in the file; with `packing`, that of its first part. */
  readonly offset: number;
  /** Whether `source` is the transpose of the tensor whose name it has. */
  readonly transposed?: true;
  /** With Q8_0: one scale per row, the same in all of its blocks. */
  readonly byRow?: true;
  /** With a scheme whose codes can be chosen one by one: round with error feedback. */
  readonly feedback?: Feedback;
  /** Where the parts of its blocks go, if not side by side at `offset`. */
  readonly packing?: Packing;
  /** Weights of the squared errors, one per column, for schemes that take them. */
  readonly importance?: Importance;
}

/**
 * A layout of encoded rows that keeps the parts of blocks, such as codes and scales, each in a run of its
 * own.
 */
export interface Packing {
  readonly parts: readonly {
    /** Byte offset of the part of the first row in the file. */
    readonly offset: number;
    readonly rowBytes: number;
  }[];
  /** Takes rows of blocks apart: fills `rowBytes` bytes per row of each part. */
  pack(rows: Uint8Array, parts: readonly Uint8Array[]): void;
}

/** The rows of a tensor that its file holds. */
export function plannedRows({ source, rows }: Pick<PlannedTensor, 'source' | 'rows'>): RowRange {
  return rows ?? { first: 0, count: rowCount(source) };
}

/** Bytes that a tensor takes in its file. */
export function plannedBytes(tensor: PlannedTensor): number {
  const { source, scheme, packing } = tensor;
  const row =
    packing?.parts.reduce((sum, part) => sum + part.rowBytes, 0) ?? schemeBytes(scheme, columnCount(source));
  return row * plannedRows(tensor).count;
}

/** Bytes known before any weight is read: headers, metadata. */
export interface PlannedBytes {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A file of the plan that is whole and on the disk. */
export interface SealedFile {
  /** Path relative to the output folder. */
  readonly name: string;
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
  /** Fills all of `into` with the bytes from `offset` on. */
  readInto(into: Uint8Array, offset: number): Promise<void>;
}

/** The inputs of a file that is made of the other files once they are complete. */
export interface Making {
  /** The files that are not made of others, by their names in the plan. */
  readonly files: ReadonlyMap<string, SealedFile>;
  /** Left out: as many as the making is worth. */
  readonly threads?: number | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PlannedFile {
  /** Path relative to the output folder; with `nameOf`, until the content is known. */
  readonly name: string;
  /** Path, in the same folder, by the SHA-256 of the content in hex. */
  readonly nameOf?: (sha256: string) => string;
  /** Makes the content, all `bytes` of it, of files without this. */
  readonly make?: (making: Making) => Promise<Uint8Array>;
  /** Working memory that making takes. */
  readonly makingBytes?: number;
  /** Exact size. Bytes covered neither by `head` nor by a tensor are zero padding. */
  readonly bytes: number;
  readonly head: readonly PlannedBytes[];
  readonly tensors: readonly PlannedTensor[];
}

/** A scheme that was asked for by a pattern of names. */
export interface TensorType {
  /** As `PatternList` takes it. */
  readonly pattern: string;
  readonly scheme: SchemeName;
}

/** A tensor that could not take the scheme that the recipe wanted. */
export interface Fallback {
  readonly tensor: string;
  readonly wanted: SchemeName;
  readonly used: SchemeName;
  readonly reason: string;
}

/** The result of an exporter: every offset and exact size, before any weight is read. */
export interface ExportPlan {
  /** As given on the command line, e.g. `gguf:q8_0`. */
  readonly target: string;
  readonly files: readonly PlannedFile[];
  readonly fallbacks: readonly Fallback[];
  /** Of the schemes that were asked for by name, those that no matrix takes. Left out: none were. */
  readonly idleTypes?: readonly TensorType[];
  /** Notes for the user on what the exporter ignored or assumed, one line each. */
  readonly notes: readonly string[];
}

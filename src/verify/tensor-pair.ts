import { SCHEMES, type SchemeName } from '../core/scheme.ts';
import {
  byteLength,
  columnCount,
  elementCount,
  type RowRange,
  rowBytes,
  rowCount,
  type Tensor,
} from '../core/tensor.ts';
import type { Compute, Pointer } from '../kernels/compute.ts';
import { ALIGNMENT } from '../kernels/layout.ts';
import { decoderOf } from '../schemes/index.ts';
import { rowLimit, schemeLimits } from './scheme-limits.ts';

/** How a tensor of the artifact differs from the reference's of the same name. */
export interface TensorError {
  readonly name: string;
  readonly scheme: SchemeName;
  readonly referenceScheme: SchemeName;
  /**
   * Whether the artifact's blocks can hold the reference's as they are: then there is no reason for an error.
   */
  readonly exact: boolean;
  readonly shape: readonly number[];
  /** Of the artifact's, in its scheme. */
  readonly bytes: number;
  /** Root mean square of the reference's weights. */
  readonly rms: number;
  /** Root mean square of the differences. */
  readonly rmsError: number;
  /** `rmsError / rms`; 0 where both are 0. */
  readonly relativeRmsError: number;
  readonly maxAbsError: number;
  /** Weights of the artifact that are NaN or infinite. */
  readonly notFinite: number;
  /** The row whose largest error is the largest part of its largest weight, or of `SchemeLimits.floor`. */
  readonly worstRow: { readonly row: number; readonly error: number };
  /** The first place that does not pass; left out where all do. */
  readonly failed?: FailedPlace;
}

/**
 * A weight, by the rows and columns of the tensor, and the block of its scheme in the row that it lies in.
 * All count from 0.
 */
export interface FailedPlace {
  /** `not finite`: of the artifact; `reference`: not finite there already; `error`: beyond `limit`. */
  readonly kind: 'not finite' | 'reference' | 'error';
  readonly row: number;
  readonly column: number;
  readonly block: number;
  /** Of the row, relative to its largest weight. */
  readonly error: number;
  readonly limit: number;
}

/** The output of the kernel `difference` for a row: four f64. */
const DIFFERENCE_VALUES = 4;

/** Areas of one chunk of both tensors. */
interface Places {
  readonly reference: Pointer;
  readonly artifact: Pointer;
  /** Differences of the two. */
  readonly errors: Pointer;
  /** A row of f32 zeros. */
  readonly zeros: Pointer;
  /** Differences of the reference from zero: its largest weights. */
  readonly weights: Pointer;
}

/** Two tensors of one name and shape, compared by chunks of rows. */
export class TensorPair {
  readonly reference: Tensor;
  readonly artifact: Tensor;
  /** Rows of a chunk. */
  readonly #rows: number;
  #squaredError = 0;
  #squares = 0;
  #maxAbsError = 0;
  #notFinite = 0;
  #worstRow = { row: 0, error: 0 };
  #failed: FailedPlace | undefined;
  /** As in `TensorError`. */
  readonly #exact: boolean;
  readonly #limit: number;

  /** Chunks of both take at most `budget` bytes, but one row step at least. `weighed`: as `rowLimit`. */
  constructor(reference: Tensor, artifact: Tensor, budget: number, weighed = false) {
    this.reference = reference;
    this.artifact = artifact;
    this.#exact =
      artifact.scheme === reference.scheme && (!artifact.oneScalePerRow || reference.oneScalePerRow === true);
    this.#limit = rowLimit(artifact.scheme, this.#exact, weighed);
    const step = leastCommonMultiple(reference.rowStep, artifact.rowStep);
    const rows = Math.max(1, Math.floor(budget / this.#bytesPerRow / step)) * step;
    this.#rows = Math.min(rows, rowCount(artifact));
  }

  /** Bytes of both tensors. */
  get byteLength(): number {
    return rowCount(this.artifact) * this.#bytesPerRow;
  }

  get #bytesPerRow(): number {
    return rowBytes(this.reference) + rowBytes(this.artifact);
  }

  /** Bytes of working memory that `compare` needs. */
  get workingBytes(): number {
    return this.#place(0).end;
  }

  /**
   * Reads all chunks into working memory at `area` and sums up their errors. Yields the bytes done after
   * each.
   */
  async *compare(compute: Compute, area: Pointer, signal?: AbortSignal): AsyncGenerator<number, void> {
    const { places } = this.#place(area);
    compute.bytes(places.zeros, 4 * columnCount(this.artifact)).fill(0);
    const rows = rowCount(this.artifact);
    for (let first = 0; first < rows; first += this.#rows) {
      signal?.throwIfAborted();
      const range = { first, count: Math.min(this.#rows, rows - first) };
      await this.#compareRows(compute, places, range, signal);
      yield (first + range.count) * this.#bytesPerRow;
    }
  }

  /** After `compare`. */
  result(): TensorError {
    const { name, scheme, shape } = this.artifact;
    const count = elementCount(this.artifact);
    const [rms, rmsError] = [Math.sqrt(this.#squares / count), Math.sqrt(this.#squaredError / count)];
    return {
      name,
      scheme,
      referenceScheme: this.reference.scheme,
      exact: this.#exact,
      shape,
      bytes: byteLength(this.artifact),
      rms,
      rmsError,
      relativeRmsError: rmsError === 0 ? 0 : rmsError / rms,
      maxAbsError: this.#maxAbsError,
      notFinite: this.#notFinite,
      worstRow: this.#worstRow,
      ...(this.#failed && { failed: this.#failed }),
    };
  }

  async #compareRows(
    compute: Compute,
    places: Places,
    range: RowRange,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { reference, artifact, errors, zeros, weights } = places;
    const rows = range.count;
    const [a, b] = [rowBytes(this.reference), rowBytes(this.artifact)];
    await this.reference.readRows(range, compute.bytes(reference, rows * a), signal);
    await this.artifact.readRows(range, compute.bytes(artifact, rows * b), signal);
    const job = {
      a: reference,
      aScheme: SCHEMES[this.reference.scheme].ggmlType,
      aRowBytes: a,
      rows,
      columns: columnCount(this.artifact),
    };
    const bScheme = SCHEMES[this.artifact.scheme].ggmlType;
    compute.run('difference', { ...job, b: artifact, bScheme, bRowBytes: b, out: errors });
    // The error of the zero matrix is the weight itself: every row against the same zeros.
    const zeroMatrix = { b: zeros, bScheme: SCHEMES.F32.ggmlType, bRowBytes: 0 };
    compute.run('difference', { ...job, ...zeroMatrix, out: weights });
    const decode = (tensor: Tensor, at: Pointer, row: number): Float32Array => {
      const bytes = rowBytes(tensor);
      const values = new Float32Array(columnCount(tensor));
      decoderOf(tensor.scheme)(compute.bytes(at + row * bytes, bytes), 0, values, 0, values.length);
      return values;
    };
    this.#add(
      range.first,
      compute.doubles(errors, rows * DIFFERENCE_VALUES),
      compute.doubles(weights, rows * DIFFERENCE_VALUES),
      (row) => [decode(this.reference, reference, row), decode(this.artifact, artifact, row)],
    );
  }

  #add(firstRow: number, errors: Float64Array, weights: Float64Array, decode: DecodeRow): void {
    const { floor } = schemeLimits(this.artifact.scheme);
    for (let at = 0; at < errors.length; at += DIFFERENCE_VALUES) {
      const row = at / DIFFERENCE_VALUES;
      const [squaredError, squares, largestError, notFinite] = errors.subarray(at, at + DIFFERENCE_VALUES);
      const largestWeight = weights[at + 2]!;
      this.#squaredError += squaredError!;
      this.#squares += squares!;
      this.#maxAbsError = Math.max(this.#maxAbsError, largestError!);
      this.#notFinite += notFinite!;
      const error = largestError === 0 ? 0 : largestError! / Math.max(largestWeight, floor);
      // The negation lets a NaN be the worst.
      if (!(error <= this.#worstRow.error)) this.#worstRow = { row: firstRow + row, error };
      // A value that is not finite is worse than any error, wherever it is.
      const kind = notFinite! > 0 ? 'not finite' : Number.isFinite(squares!) ? 'error' : 'reference';
      const fails = kind !== 'error' || error > this.#limit;
      if (!fails || (this.#failed !== undefined && (kind === 'error' || this.#failed.kind !== 'error')))
        continue;
      const column = failedColumn(kind, ...decode(row));
      const block = Math.floor(column / SCHEMES[this.artifact.scheme].blockSize);
      this.#failed = { kind, row: firstRow + row, column, block, error, limit: this.#limit };
    }
  }

  #place(area: Pointer): { readonly places: Places; readonly end: Pointer } {
    let end = area;
    const take = (bytes: number): Pointer => {
      const pointer = end;
      end += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
      return pointer;
    };
    const places = {
      reference: take(this.#rows * rowBytes(this.reference)),
      artifact: take(this.#rows * rowBytes(this.artifact)),
      errors: take(8 * DIFFERENCE_VALUES * this.#rows),
      zeros: take(4 * columnCount(this.artifact)),
      weights: take(8 * DIFFERENCE_VALUES * this.#rows),
    };
    return { places, end };
  }
}

/** Row `row` of a chunk, decoded, of the reference and of the artifact. */
type DecodeRow = (row: number) => [reference: Float32Array, artifact: Float32Array];

/** The first weight that is not finite, or the first of those that are off by most. */
function failedColumn(kind: FailedPlace['kind'], reference: Float32Array, artifact: Float32Array): number {
  if (kind !== 'error') {
    const values = kind === 'reference' ? reference : artifact;
    return values.findIndex((value) => !Number.isFinite(value));
  }
  const errors = reference.map((value, column) => Math.abs(value - artifact[column]!));
  return errors.reduce((most, error, column) => (error > errors[most]! ? column : most), 0);
}

function leastCommonMultiple(a: number, b: number): number {
  let [larger, smaller] = [Math.max(a, b), Math.min(a, b)];
  while (smaller > 0) [larger, smaller] = [smaller, larger % smaller];
  return (a / larger) * b;
}

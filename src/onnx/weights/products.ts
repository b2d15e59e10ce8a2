import type { Compute } from '../../kernels/compute.ts';
import { matrixProduct } from '../../kernels/matrix-product.ts';
import type { Pointer } from '../../kernels/memory.ts';
import type { StoredMatrix } from './stored-matrix.ts';

/**
 * Room for activations on their way through a kernel: enough tokens at once that decoding the weights does
 * not count.
 */
const LEAST_SCRATCH = 16 << 20;
/** Memory for factors that are not constants, such as keys and values of a cache. */
const FACTOR_BYTES = 8 << 20;

/** Matrix products through the kernels, whose operands lie in shared memory. */
export class Products {
  readonly compute: Compute;
  readonly #scratch: Pointer;
  readonly #scratchBytes: number;
  readonly #factor: Pointer;

  /** `widest` is what `scratchBytes` was asked for. */
  constructor(compute: Compute, widest: number) {
    this.compute = compute;
    this.#scratchBytes = activationBytes(widest);
    this.#scratch = compute.alloc(this.#scratchBytes);
    this.#factor = compute.alloc(FACTOR_BYTES);
  }

  /**
   * Working memory that products need if rows and columns of a stored matrix are `widest` together at most.
   */
  static scratchBytes(widest: number): number {
    return activationBytes(widest) + FACTOR_BYTES;
  }

  /**
   * y[t, r] = sum over c of x[t, c] * W[r, c], for rows x of `depth` values, in the kernels' order of
   * additions.
   */
  multiply(x: Float32Array, depth: number, matrix: StoredMatrix, y: Float32Array): void {
    this.#run(x, depth, matrix, y, matrix.rows);
  }

  /** The same with the rows of W one behind the other in `w`. */
  multiplyRows(x: Float32Array, depth: number, w: Float32Array, y: Float32Array): void {
    const rows = depth === 0 ? 0 : w.length / depth;
    const most = Math.max(1, Math.floor(FACTOR_BYTES / (4 * depth)));
    for (let first = 0; first < rows; first += most) {
      const part = w.subarray(first * depth, (first + most) * depth);
      this.compute.floats(this.#factor, part.length).set(part);
      const shape = { rows: part.length / depth, columns: depth, rowBytes: 4 * depth };
      const matrix: StoredMatrix = { pointer: this.#factor, scheme: 'F32', ...shape };
      this.#run(x, depth, matrix, y.subarray(first), rows);
    }
  }

  /** `stride`: how far apart the rows of y are. */
  #run(x: Float32Array, depth: number, matrix: StoredMatrix, y: Float32Array, stride: number): void {
    const { rows, columns } = matrix;
    const tokens = depth === 0 ? 0 : x.length / depth;
    const most = Math.max(1, Math.floor(this.#scratchBytes / (4 * (rows + columns))));
    const target = this.#scratch + 4 * columns * Math.min(most, tokens);
    for (let first = 0; first < tokens; first += most) {
      const count = Math.min(most, tokens - first);
      const [source, result] = [
        this.compute.floats(this.#scratch, count * columns),
        this.compute.floats(target, count * rows),
      ];
      if (columns > depth) source.fill(0);
      for (let t = 0; t < count; t++) {
        source.set(x.subarray((first + t) * depth, (first + t + 1) * depth), t * columns);
      }
      const { pointer: weights, scheme } = matrix;
      const job = { weights, scheme, rows, columns, x: this.#scratch, y: target, tokens: count };
      this.compute.run('matmul', matrixProduct(job));
      for (let t = 0; t < count; t++) {
        y.set(result.subarray(t * rows, (t + 1) * rows), (first + t) * stride);
      }
    }
  }
}

function activationBytes(widest: number): number {
  return Math.max(LEAST_SCRATCH, 4 * widest);
}

import type { Feedback } from '../core/export-plan.ts';
import type { Moments } from '../core/statistics.ts';
import { factorInPlace, rowStart } from './cholesky.ts';

/** Of the mean of the diagonal. GPTQ's default; five times as much is worse on plm-tiny. */
const DAMPING = 0.01;

/**
 * Feedback for a matrix whose inputs have the second moments H: with H + lambda I = (I + U) D (I + U)^T, U strictly upper, column
 * k takes over U[j, k] of the error of column j, which leaves the least squared error of the products that is to be had column
 * by column (LDLQ, arXiv 2307.13304, theorem 1; GPTQ computes the same). Columns behind the moments are padding, and take over nothing.
 */
export function feedbackOf({ size, triangle }: Moments, columns = size): Feedback {
  return {
    columns,
    async coefficients(signal) {
      // A Cholesky factor of the columns in reverse is U D^1/2 read backwards.
      const reversed = await triangle(
        Int32Array.from({ length: size }, (_, i) => size - 1 - i),
        signal,
      );
      factorInPlace(reversed, size, DAMPING);
      const coefficients = new Float32Array((columns * (columns - 1)) / 2);
      for (let j = 0, at = 0; j < size; j++, at += columns - j) {
        const row = rowStart(size - 1 - j);
        for (let k = j + 1; k < size; k++) {
          const column = size - 1 - k;
          coefficients[at + k - j - 1] = reversed[row + column]! / reversed[rowStart(column) + column]!;
        }
      }
      return coefficients;
    },
  };
}

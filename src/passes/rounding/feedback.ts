import type { Feedback } from '../../core/export-plan.ts';
import type { Moments } from '../../core/statistics.ts';
import { damp, leastPivot, rowStart } from './cholesky.ts';

/** Of the mean of the diagonal. GPTQ's default; five times as much is worse on plm-tiny. */
const DAMPING = 0.01;

export interface FeedbackOptions {
  /** Columns of the matrix, those that pad its rows included. Left out: as many as there are moments. */
  readonly columns?: number;
  /** Share of products of two channels that is taken for chance. Left out: none. */
  readonly chance?: number;
  /** What all columns are worth beside their moments, of the mean of the diagonal. Left out: nothing. */
  readonly flat?: number;
}

/**
 * Moments of few tokens hold correlations that the next text has not: as large a share of them as n channels
 * have more unknowns than tokens (shrinkage, in the manner of Ledoit and Wolf 2004). On plm-tiny 10 tokens
 * then do no harm, and 53,000 give what they give without.
 */
export function shareOfChance(channels: number, tokens: number): number {
  return channels / (channels + tokens);
}

/**
 * Feedback for a matrix whose inputs have the second moments H: with H + lambda I = (I + U) D (I + U)^T, U
 * strictly upper, column k takes over U[j, k] of the error of column j, which leaves the least squared error
 * of the products that is to be had column by column (LDLQ, arXiv 2307.13304, theorem 1; GPTQ computes the
 * same). Columns behind the moments are padding, and take over nothing.
 */
export function feedbackOf({ size, triangle }: Moments, options: FeedbackOptions = {}): Feedback {
  const { columns = size, chance = 0, flat = 0 } = options;
  return {
    columns,
    async coefficients(factor, signal) {
      // A Cholesky factor of the columns in reverse is U D^1/2 read backwards.
      const reversed = await triangle(
        Int32Array.from({ length: size }, (_, i) => size - 1 - i),
        signal,
      );
      shrink(reversed, size, chance);
      await factor(reversed, size, leastPivot(damp(reversed, size, DAMPING + flat)));
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

/** Takes a share off the products of different channels. */
function shrink(triangle: Float64Array, size: number, share: number): void {
  for (let i = 0; i < size; i++) {
    const row = rowStart(i);
    for (let j = row; j < row + i; j++) triangle[j]! *= 1 - share;
  }
}

import type { Feedback } from '../../core/export-plan.ts';
import { triangleSize } from '../../core/statistics.ts';
import { damp, leastPivot } from './damping.ts';

/** Of the mean of the diagonal. GPTQ's default; five times as much is worse on plm-tiny. */
const DAMPING = 0.01;

/**
 * Moments of few tokens hold correlations that the next text has not: as large a share of them as n channels
 * have more unknowns than tokens (shrinkage, in the manner of Ledoit and Wolf 2004). On plm-tiny 10 tokens
 * then do no harm, and 53,000 give what they give without.
 */
export function shareOfChance(channels: number, tokens: number): number {
  return channels / (channels + tokens);
}

/**
 * What is factored for the feedback of a matrix whose inputs have the second moments H: with H + lambda I =
 * (I + U) D (I + U)^T, U strictly upper, column k takes over U[j, k] of the error of column j, which leaves
 * the least squared error of the products that is to be had column by column (LDLQ, arXiv 2307.13304, theorem
 * 1; GPTQ computes the same). Fills `into` with H + lambda I of the columns in reverse, a lower triangle row
 * by row: its Cholesky factor is (I + U) D^1/2 read backwards. Returns what pivots must be at least.
 */
export async function feedbackTriangle(
  { moments, chance, flat }: Feedback,
  into: Float64Array,
  signal?: AbortSignal,
): Promise<number> {
  const { size } = moments;
  const reversed = Int32Array.from({ length: size }, (_, i) => size - 1 - i);
  await moments.triangle(reversed, signal, into);
  shrink(into, size, chance);
  return leastPivot(damp(into, size, DAMPING + flat));
}

/** Takes a share off the products of different channels. */
function shrink(triangle: Float64Array, size: number, share: number): void {
  for (let i = 0; i < size; i++) {
    const row = triangleSize(i);
    for (let j = row; j < row + i; j++) triangle[j]! *= 1 - share;
  }
}

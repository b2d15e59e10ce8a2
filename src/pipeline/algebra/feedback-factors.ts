import type { Turns } from '../../core/jobs/turns.ts';
import type { Compute, Pointer } from '../../kernels/compute.ts';
import { type Factorization, factorTriangle } from './factor-triangle.ts';

export interface FeedbackFactors extends Pick<Factorization, 'triangle' | 'size' | 'least'> {
  /** Columns of the tensor that is rounded, at least `size`; those behind are padding, and take over nothing. */
  readonly columns: number;
  /** Room for columns (columns - 1) / 2 f32. */
  readonly factor: Pointer;
  /** Room for `columns` f32. */
  readonly pivots: Pointer;
  /** Room for `columns` rows of DESCENT_COLUMNS f32. */
  readonly conditional: Pointer;
}

/**
 * Factors second moments, `triangle`, whose columns are in reverse, for error feedback: `factor` and `pivots`
 * are as the kernel `reverseFactor` says. The triangle then holds its Cholesky factor.
 */
export async function feedbackFactors(
  compute: Compute,
  { triangle, size, least, columns, factor, pivots, conditional }: FeedbackFactors,
  turns: Turns,
): Promise<void> {
  await factorTriangle(compute, { triangle, size, least }, turns);
  await compute.runInTurns('reverseFactor', { triangle, size, columns, factor, pivots }, turns);
  await compute.runInTurns('conditionalMoments', { factor, pivots, columns, moments: conditional }, turns);
}

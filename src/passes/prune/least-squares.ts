import type { Regress, Regression } from '../regression.ts';
import { damp, leastPivot } from '../rounding/damping.ts';

/** What the kept columns of down_proj take over from the removed ones, and what cannot be taken over. */
export interface Repair {
  /**
   * W_R C_RK (C_KK + lambda I)^-1, a row of `kept` values for each row of down_proj: W_K and this is the
   * least-squares fit of W h on the kept neurons.
   */
  readonly correction: Float32Array;
  readonly lambda: number;
}

/**
 * Solves for the repair of a layer. `triangle` holds the second moments C = E[h h^T] of the kept neurons, its
 * pivots, then of the removed ones: a lower triangle row by row. Its entries of removed neurons hold C_RR -
 * C_RK (C_KK + lambda I)^-1 C_KR afterwards. lambda is `damping` times the mean of the diagonal of C_KK
 * (SlimGPT, arXiv 2412.18110, section 3.2; FASP, arXiv 2501.09412).
 */
export async function leastSquares(
  problem: Omit<Regression, 'least'>,
  damping: number,
  regress: Regress,
  signal?: AbortSignal,
): Promise<Repair> {
  const lambda = damp(problem.triangle, problem.pivots, damping);
  const correction = await regress({ ...problem, least: leastPivot(lambda) }, signal);
  return { correction, lambda };
}

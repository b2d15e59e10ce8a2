import { Turns } from '../../core/jobs/turns.ts';
import { factorInPlace, rowStart, solveRow } from '../rounding/cholesky.ts';

/** What the kept columns take over from the removed ones, and what cannot be taken over. */
export interface Repair {
  /**
   * A = C_RK (C_KK + lambda I)^-1, a row of `kept` values for each removed neuron: W_K + W_R A is the
   * least-squares fit of W h on the kept neurons.
   */
  readonly correction: Float32Array;
  readonly lambda: number;
}

/**
 * Solves for the repair of a layer by a Cholesky factorization in place. `triangle` holds the second moments
 * C = E[h h^T] of the kept neurons, then of the removed ones: a lower triangle row by row. Its rows of
 * removed neurons hold, up to column `kept`, L_RK afterwards, where C_RK (C_KK + lambda I)^-1 C_KR = L_RK
 * L_RK^T. lambda is `damping` times the mean of the diagonal of C_KK (SlimGPT, arXiv 2412.18110, section 3.2;
 * FASP, arXiv 2501.09412). Ends by `signal`.
 */
export async function leastSquares(
  triangle: Float64Array,
  kept: number,
  removed: number,
  damping: number,
  signal?: AbortSignal,
): Promise<Repair> {
  const lambda = await factorInPlace(triangle, kept, damping, signal);
  const turns = new Turns(signal);
  const correction = new Float32Array(removed * kept);
  const solution = new Float64Array(kept);
  for (let r = 0; r < removed; r++) {
    const row = rowStart(kept + r);
    solveRow(triangle, row, kept);
    solution.set(triangle.subarray(row, row + kept));
    for (let j = kept - 1; j >= 0; j--) {
      const lower = rowStart(j);
      const value = solution[j]! / triangle[lower + j]!;
      solution[j] = value;
      for (let k = 0; k < j; k++) solution[k]! -= value * triangle[lower + k]!;
    }
    correction.set(solution, r * kept);
    await turns.offer();
  }
  return { correction, lambda };
}

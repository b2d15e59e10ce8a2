/** What the kept columns take over from the removed ones, and what cannot be taken over. */
export interface Repair {
  /**
   * A = C_RK (C_KK + lambda I)^-1, a row of `kept` values for each removed neuron: W_K + W_R A is the least-squares fit of
   * W h on the kept neurons.
   */
  readonly correction: Float32Array;
  readonly lambda: number;
}

/**
 * Solves for the repair of a layer by a Cholesky factorization in place. `triangle` holds the second moments C = E[h h^T] of
 * the kept neurons, then of the removed ones: a lower triangle row by row. Its rows of removed neurons hold, up to
 * column `kept`, L_RK afterwards, where C_RK (C_KK + lambda I)^-1 C_KR = L_RK L_RK^T. lambda is `damping` times the mean
 * of the diagonal of C_KK (SlimGPT, arXiv 2412.18110, section 3.2; FASP, arXiv 2501.09412).
 */
export function leastSquares(triangle: Float64Array, kept: number, removed: number, damping: number): Repair {
  let sum = 0;
  for (let i = 0; i < kept; i++) sum += triangle[rowStart(i) + i]!;
  // Neurons that are all silent need no repair, and get none from any lambda.
  const lambda = (damping * sum) / kept || 1;
  for (let i = 0; i < kept; i++) {
    const row = rowStart(i);
    triangle[row + i]! += lambda;
    solveRow(triangle, row, i);
    const rest = triangle[row + i]! - dot(triangle, row, row, i);
    // Rounding may leave nothing of what is as small as that.
    triangle[row + i] = Math.sqrt(Math.max(rest, 1e-12 * lambda));
  }
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
  }
  return { correction, lambda };
}

/** Divides the first `count` values of a row by L^T, in place. */
function solveRow(triangle: Float64Array, row: number, count: number): void {
  for (let j = 0; j < count; j++) {
    const lower = rowStart(j);
    triangle[row + j] = (triangle[row + j]! - dot(triangle, row, lower, j)) / triangle[lower + j]!;
  }
}

/** Four partial sums keep the processor busy; their order is fixed, so that results are the same everywhere. */
function dot(values: Float64Array, a: number, b: number, count: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 4 <= count; k += 4) {
    s0 += values[a + k]! * values[b + k]!;
    s1 += values[a + k + 1]! * values[b + k + 1]!;
    s2 += values[a + k + 2]! * values[b + k + 2]!;
    s3 += values[a + k + 3]! * values[b + k + 3]!;
  }
  for (; k < count; k++) s0 += values[a + k]! * values[b + k]!;
  return s0 + s1 + (s2 + s3);
}

export function rowStart(row: number): number {
  return (row * (row + 1)) / 2;
}

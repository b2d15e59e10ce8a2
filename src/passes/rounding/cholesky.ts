import { Turns } from '../../core/jobs/turns.ts';

/**
 * Factors the first `count` rows of a lower triangle of second moments, C + lambda I = L L^T, in place, and
 * returns lambda: `damping` times the mean of the diagonal (GPTQ, arXiv 2210.17323, section 3.3). Ends by
 * `signal`.
 */
export async function factorInPlace(
  triangle: Float64Array,
  count: number,
  damping: number,
  signal?: AbortSignal,
): Promise<number> {
  const lambda = damp(triangle, count, damping);
  await factor(triangle, count, leastPivot(lambda), signal);
  return lambda;
}

/** Adds lambda to the diagonal, and returns it. */
export function damp(triangle: Float64Array, count: number, damping: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += triangle[rowStart(i) + i]!;
  // Channels that are all silent need no repair, and get none from any lambda.
  const lambda = (damping * sum) / count || 1;
  for (let i = 0; i < count; i++) triangle[rowStart(i) + i]! += lambda;
  return lambda;
}

/** Rounding may leave nothing of what is as small as that. */
export function leastPivot(lambda: number): number {
  return 1e-12 * lambda;
}

/**
 * Factors the first `count` rows into L L^T, in place. What rounding leaves of a pivot is `least` at least.
 * Ends by `signal`.
 */
export async function factor(
  triangle: Float64Array,
  count: number,
  least: number,
  signal?: AbortSignal,
): Promise<void> {
  const turns = new Turns(signal);
  for (let i = 0; i < count; i++) {
    const row = rowStart(i);
    solveRow(triangle, row, i);
    const rest = triangle[row + i]! - dot(triangle, row, row, i);
    triangle[row + i] = Math.sqrt(Math.max(rest, least));
    await turns.offer();
  }
}

/** Divides the first `count` values of a row by L^T, in place. */
export function solveRow(triangle: Float64Array, row: number, count: number): void {
  for (let j = 0; j < count; j++) {
    const lower = rowStart(j);
    triangle[row + j] = (triangle[row + j]! - dot(triangle, row, lower, j)) / triangle[lower + j]!;
  }
}

/**
 * Four partial sums keep the processor busy; their order is fixed, so that results are the same everywhere.
 */
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

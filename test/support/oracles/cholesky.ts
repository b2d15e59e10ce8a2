/**
 * The lower triangle of a symmetric matrix after the first `pivots` steps of a Cholesky factorization, by
 * rank-one updates of all that is left: columns of L, then the Schur complement. Squares of pivots are `least`
 * at least.
 */
export function choleskyOf(
  matrix: readonly ArrayLike<number>[],
  pivots = matrix.length,
  least = 0,
): Float64Array[] {
  const rest = matrix.map((row) => Float64Array.from(row));
  for (let k = 0; k < pivots; k++) {
    const pivot = Math.sqrt(Math.max(rest[k]![k]!, least));
    rest[k]![k] = pivot;
    for (let i = k + 1; i < rest.length; i++) rest[i]![k]! /= pivot;
    for (let i = k + 1; i < rest.length; i++) {
      for (let j = k + 1; j <= i; j++) rest[i]![j]! -= rest[i]![k]! * rest[j]![k]!;
    }
  }
  return rest;
}

/** The same of all of a lower triangle that is stored row by row, in place. */
export function factorInPlace(triangle: Float64Array, size: number, least: number): void {
  const rows = Array.from({ length: size }, (_, i) =>
    triangle.subarray((i * (i + 1)) / 2, ((i + 1) * (i + 2)) / 2),
  );
  let at = 0;
  for (const row of choleskyOf(rows, size, least)) {
    triangle.set(row, at);
    at += row.length;
  }
}

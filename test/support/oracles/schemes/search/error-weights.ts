const { fround, sqrt } = Math;

/** Sum of x^2 over `count` values, in order. */
export function sumOfSquares(x: Float32Array, first: number, count: number): number {
  let sum = 0;
  for (let i = first; i < first + count; i++) sum = fround(sum + fround(x[i]! * x[i]!));
  return sum;
}

/** Mean of x^2 over a row, the variance of its weights. */
export function meanSquare(x: Float32Array, first: number, count: number): number {
  return fround(sumOfSquares(x, first, count) / count);
}

/**
 * Weights of squared errors where columns have an importance: importance * sqrt(variance + x^2), so that
 * large weights count more, but not beyond all measure.
 */
export function weighErrors(
  x: Float32Array,
  first: number,
  importance: Float32Array,
  variance: number,
  weights: Float32Array,
): void {
  for (let i = 0; i < weights.length; i++) {
    const value = x[first + i]!;
    weights[i] = importance[i]! * fround(sqrt(fround(variance + fround(value * value))));
  }
}

/** Weights of squared errors where there are no importances: x^2. */
export function weighBySquares(x: Float32Array, first: number, weights: Float32Array): void {
  for (let i = 0; i < weights.length; i++) weights[i] = x[first + i]! * x[first + i]!;
}

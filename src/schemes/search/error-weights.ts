const { fround, sqrt } = Math;

/** Sum of x^2 over `count` values, in order. */
export function sumOfSquares(x: Float32Array, first: number, count: number): number {
  let sum = 0;
  for (let i = first; i < first + count; i++) sum = fround(sum + fround(x[i]! * x[i]!));
  return sum;
}

/**
 * Weights of squared errors where columns have an importance: importance * sqrt(variance + x^2), so that large
 * weights count more, but not beyond all measure.
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

/** Sum of x^2 over `count` values, in order. */
export function sumOfSquares(x: usize, count: i32): f32 {
  let sum: f32 = 0;
  const end = (<usize>count) << 2;
  for (let i: usize = 0; i < end; i += 4) {
    const value = load<f32>(x + i);
    sum += value * value;
  }
  return sum;
}

/**
 * Weights of squared errors of `count` values: importance * sqrt(variance + x^2), so that large weights count
 * more, but not beyond all measure.
 */
export function weighErrors(x: usize, importance: usize, variance: f32, weights: usize, count: i32): void {
  const end = (<usize>count) << 2;
  for (let i: usize = 0; i < end; i += 16) {
    const value = v128.load(x + i);
    const square = f32x4.add(f32x4.splat(variance), f32x4.mul(value, value));
    v128.store(weights + i, f32x4.mul(v128.load(importance + i), f32x4.sqrt(square)));
  }
}

/** Weights of errors where there are no importances: x^2. */
export function weighBySquares(x: usize, weights: usize, count: i32): void {
  const end = (<usize>count) << 2;
  for (let i: usize = 0; i < end; i += 16) {
    const value = v128.load(x + i);
    v128.store(weights + i, f32x4.mul(value, value));
  }
}

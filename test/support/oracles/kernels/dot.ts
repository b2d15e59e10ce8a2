const { fround } = Math;

/**
 * Dot product in the lane order of the kernels: partial sums over i mod 4, added as (s0 + s1) + (s2 + s3).
 */
export function dot(a: Float32Array, b: Float32Array): number {
  const lanes = [0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    lanes[i & 3] = fround(lanes[i & 3]! + fround(a[i]! * b[i]!));
  }
  return fround(fround(lanes[0]! + lanes[1]!) + fround(lanes[2]! + lanes[3]!));
}

/** y += a * x. */
export function addScaled(y: Float32Array, a: number, x: Float32Array): void {
  for (let i = 0; i < y.length; i++) y[i] = fround(y[i]! + fround(a * x[i]!));
}

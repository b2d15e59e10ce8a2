/** The sum of products of entries from <= k < to, even and odd ones apart, counted from `from`. */
export function pairedDot(a: Float64Array, b: Float64Array, from: number, to: number): number {
  let [even, odd] = [0, 0];
  for (let k = from; k < to; k++) {
    if ((k - from) % 2 === 0) even += a[k]! * b[k]!;
    else odd += a[k]! * b[k]!;
  }
  return even + odd;
}

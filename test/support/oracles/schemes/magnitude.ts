/** The first weight of the largest magnitude, NaNs passed over; 0 where there is none. */
export function extremeOf(x: Float32Array, first: number, count: number): number {
  let extreme = 0;
  for (let i = first; i < first + count; i++) {
    if (Math.abs(x[i]!) > Math.abs(extreme)) extreme = x[i]!;
  }
  return extreme;
}

/** max |x| by ggml's macro, which forgets what came before a NaN; Math.max would keep the NaN. */
export function largestMagnitude(x: Float32Array, first: number, count: number): number {
  let largest = 0;
  for (let i = first; i < first + count; i++) {
    const magnitude = Math.abs(x[i]!);
    if (!(largest > magnitude)) largest = magnitude;
  }
  return largest;
}

/** The mean of the values in a stretch of places from `first` to `last`. */
export interface Average {
  readonly first: number;
  readonly last: number;
  /** Infinite where a value is. */
  readonly mean: number;
}

/**
 * Means of values over stretches of equal length, at most `count` of them. `place` tells where the value of
 * an index lies, from 0 to `places` - 1; several may lie at one place.
 */
export function averages(
  values: readonly number[],
  place: (index: number) => number,
  places: number,
  count: number,
): Average[] {
  const length = Math.ceil(places / count);
  const sums = Array.from({ length: Math.ceil(places / length) }, () => ({ sum: 0, count: 0 }));
  for (const [index, value] of values.entries()) {
    const stretch = sums[Math.floor(place(index) / length)]!;
    stretch.sum += value;
    stretch.count++;
  }
  return sums.flatMap((stretch, index) => {
    if (stretch.count === 0) return [];
    const last = Math.min(places, (index + 1) * length) - 1;
    return [{ first: index * length, last, mean: stretch.sum / stretch.count }];
  });
}

/** Values from `from` up to `to`, `to` itself not included. */
export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/**
 * How values that are at least 0 spread over magnitudes. All counts together are as many as there are values.
 */
export interface LogHistogram {
  /** Adjacent, ascending; those between are listed though they hold nothing. */
  readonly bins: readonly Bin[];
  /** Values below the first bin. */
  readonly below: number;
  readonly infinite: number;
}

const BINS_PER_DECADE = 4;
/** Below it two distributions are equal but for rounding. */
const LOWEST_DECADE = -9;

export function logHistogram(values: readonly number[]): LogHistogram {
  const counts = new Map<number, number>();
  let [below, infinite] = [0, 0];
  for (const value of values) {
    if (value === Infinity) infinite++;
    else if (value < 10 ** LOWEST_DECADE) below++;
    else {
      const bin = binOf(value);
      counts.set(bin, (counts.get(bin) ?? 0) + 1);
    }
  }
  if (counts.size === 0) return { bins: [], below, infinite };
  const [first, last] = [Math.min(...counts.keys()), Math.max(...counts.keys())];
  const bins = Array.from({ length: last - first + 1 }, (_, index) => ({
    from: edge(first + index),
    to: edge(first + index + 1),
    count: counts.get(first + index) ?? 0,
  }));
  return { bins, below, infinite };
}

/** By its edges as they are rounded. */
function binOf(value: number): number {
  const bin = Math.floor(BINS_PER_DECADE * Math.log10(value));
  if (value < edge(bin)) return bin - 1;
  return value < edge(bin + 1) ? bin : bin + 1;
}

function edge(bin: number): number {
  return 10 ** (bin / BINS_PER_DECADE);
}

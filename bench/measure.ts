import { performance } from 'node:perf_hooks';

/** Two figures taken side by side in one run. */
export interface Measurement {
  readonly what: string;
  readonly ours: number;
  readonly baseline: number;
  readonly unit: string;
}

/** Shortest of `runs` runs, in milliseconds: what the code needs when nothing else disturbs it. */
export function fastest(work: () => void, runs: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

import { performance } from 'node:perf_hooks';

/** Two figures taken side by side in one run. */
export interface Measurement {
  readonly what: string;
  readonly ours: number;
  readonly baseline: number;
  readonly unit: string;
}

/** Rounds enough that the first, in which code is still compiled, decides nothing. */
const ROUNDS = 5;

/**
 * Shortest runs of both in milliseconds: what the code needs when nothing else disturbs it. They run in turn and equally
 * often, so that a change of the machine's speed hits both.
 */
export function fastestInTurn(
  ours: () => void,
  baseline: () => void,
): Pick<Measurement, 'ours' | 'baseline'> {
  const best = { ours: Number.POSITIVE_INFINITY, baseline: Number.POSITIVE_INFINITY };
  for (let round = 0; round < ROUNDS; round++) {
    best.ours = Math.min(best.ours, timed(ours));
    best.baseline = Math.min(best.baseline, timed(baseline));
  }
  return best;
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

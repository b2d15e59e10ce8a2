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
 * Shortest runs of both in milliseconds: what the code needs when nothing else disturbs it. They run in turn
 * and equally often, so that a change of the machine's speed hits both.
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

/** Median figure of each, by name. They take turns, so that a change of the machine's speed hits all. */
export async function mediansInTurn<Name extends string>(
  candidates: Readonly<Record<Name, () => Promise<number>>>,
  rounds: number,
): Promise<Readonly<Record<Name, number>>> {
  const names = Object.keys(candidates) as Name[];
  const figures = new Map(names.map((name): [Name, number[]] => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) figures.get(name)!.push(await candidates[name]());
  }
  const median = (sorted: readonly number[]) => sorted[Math.floor(sorted.length / 2)]!;
  return Object.fromEntries(
    names.map((name) => [name, median(figures.get(name)!.toSorted((a, b) => a - b))]),
  ) as Record<Name, number>;
}

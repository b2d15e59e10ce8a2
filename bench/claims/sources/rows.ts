import { readFileSync } from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../../../test/support/paths.ts';

/** What a line of bench/results compares. */
export interface Row {
  readonly date: string;
  /** Of the code that was measured. */
  readonly commit: string;
  readonly what: string;
  readonly ours: number;
  readonly baseline: number;
}

export const RESULTS = path.join('bench', 'results');

/** All lines of bench/results/NAME.csv, the oldest first. */
export function readRows(name: string): readonly Row[] {
  const [, ...lines] = readFileSync(path.join(repoRoot, RESULTS, `${name}.csv`), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => {
    const cells = (line.match(/"[^"]*"|[^,]+/g) ?? []).map((cell) => cell.replaceAll('"', ''));
    const [date = '', commit = '', , , what = '', ours, baseline] = cells;
    return { date, commit, what, ours: Number(ours), baseline: Number(baseline) };
  });
}

/** Every run of what matches from its beginning, the oldest first: at least one. */
export function runsOf(name: string, what: string): readonly Row[] {
  const pattern = new RegExp(`^${what}`);
  const found = readRows(name).filter((row) => pattern.test(row.what));
  if (found.length === 0) throw new Error(`${RESULTS}/${name}.csv has no ${what}`);
  return found;
}

/** The last of these runs. */
export function lastRun(name: string, what: string): Row {
  return runsOf(name, what).at(-1)!;
}

export function ratio({ ours, baseline }: Row): number {
  return ours / baseline;
}

/** Ours, what stands beside it, and their ratio. */
export function inFull(row: Row): readonly number[] {
  return [row.ours, row.baseline, ratio(row)];
}

/** As in `inFull`, where the document says how many times less ours is. */
export function inverse(row: Row): readonly number[] {
  return [row.ours, row.baseline, 1 / ratio(row)];
}

export function range(values: readonly number[]): readonly number[] {
  return [Math.min(...values), Math.max(...values)];
}

import type { Turns } from '../../core/jobs/turns.ts';
import { triangleSize } from '../../core/statistics.ts';
import type { Compute, Pointer } from '../../kernels/compute.ts';

/** Columns that are solved for at once: enough for many threads, few enough that the rest is little. */
const PANEL = 128;

export interface Triangle {
  /** Points at a lower triangle of f64, row by row. */
  readonly triangle: Pointer;
  readonly size: number;
}

export interface Factorization extends Triangle {
  /** Rows that are factored. Left out: all. */
  readonly pivots?: number;
  /** The least square of a pivot, where rounding leaves less. */
  readonly least: number;
  /** Called after every panel with the part of the pivots that is done. */
  readonly onProgress?: (share: number) => void;
}

/**
 * Factors a symmetric matrix into L L^T, in place and on all threads. Where only the first `pivots` rows are
 * factored, the rows behind them hold L up to there, and then what is left of them, the Schur complement. The
 * same bits on any number of threads.
 */
export async function factorTriangle(
  compute: Compute,
  { triangle, size, pivots = size, least, onProgress }: Factorization,
  turns: Turns,
): Promise<void> {
  const eliminate = async (from: number, to: number, pivots: number, firstRow: number, end: number) => {
    if (from >= to || firstRow >= end) return;
    const job = { triangle, from, to, pivots, firstRow, rows: end - firstRow };
    await compute.runInTurns('eliminateRows', job, turns);
  };
  for (let panel = 0; panel < pivots; panel += PANEL) {
    const end = Math.min(panel + PANEL, pivots);
    await eliminate(panel, end, panel, panel, end);
    factorBlock(compute, triangle, panel, end, least);
    await eliminate(panel, end, end, end, size);
    onProgress?.(end / pivots);
  }
  await eliminate(pivots, size, pivots, pivots, size);
}

/** Factors the square of the triangle between two columns, which is free of all before it. */
function factorBlock(compute: Compute, triangle: Pointer, from: number, to: number, least: number): void {
  const rows: Float64Array[] = [];
  for (let i = from; i < to; i++) {
    const row = compute.doubles(triangle + 8 * (triangleSize(i) + from), i - from + 1);
    for (let j = 0; j < rows.length; j++) row[j] = restOf(row, rows[j]!, j) / rows[j]![j]!;
    row[rows.length] = Math.sqrt(Math.max(restOf(row, row, rows.length), least));
    rows.push(row);
  }
}

/** What the products of the entries before column j leave of row[j]. */
function restOf(row: Float64Array, lower: Float64Array, j: number): number {
  let rest = row[j]!;
  for (let k = 0; k < j; k++) rest -= row[k]! * lower[k]!;
  return rest;
}

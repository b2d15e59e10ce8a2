import type { Turns } from '../../core/jobs/turns.ts';
import type { Compute, Pointer } from '../../kernels/compute.ts';
import { ELIMINATION_TILE } from '../../kernels/tiles.ts';

/**
 * Rows that are freed of all before them at once: enough for many threads, few enough that the rest is
 * little.
 */
const PANEL = 128;

/**
 * Factors a symmetric matrix, a lower triangle of f64 row by row in shared memory, into L L^T, in place and
 * on all threads. What rounding leaves of a pivot is `least` at least. The same bits on any number of
 * threads.
 */
export async function factorTriangle(
  compute: Compute,
  triangle: Pointer,
  size: number,
  least: number,
  turns: Turns,
): Promise<void> {
  const eliminate = async (from: number, to: number, firstRow: number, rows: number) => {
    if (from >= to || rows === 0) return;
    await compute.runInTurns('eliminateRows', { triangle, from, to, firstRow, rows }, turns);
  };
  for (let panel = 0; panel < size; panel += PANEL) {
    const end = Math.min(panel + PANEL, size);
    await eliminate(0, panel, panel, end - panel);
    for (let tile = panel; tile < end; tile += ELIMINATION_TILE) {
      const tileEnd = Math.min(tile + ELIMINATION_TILE, end);
      for (let i = tile; i < tileEnd; i++) {
        await eliminate(tile, i, i, 1);
        const row = compute.doubles(triangle + 4 * i * (i + 1), i + 1);
        let rest = row[i]!;
        for (let k = 0; k < i; k++) rest -= row[k]! * row[k]!;
        row[i] = Math.sqrt(Math.max(rest, least));
      }
      await eliminate(tile, tileEnd, tileEnd, end - tileEnd);
    }
  }
}

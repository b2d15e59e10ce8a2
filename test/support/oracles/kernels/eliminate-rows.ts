import { ELIMINATION_BLOCK, ELIMINATION_CHUNK, ELIMINATION_TILE } from '../../../../src/kernels/tiles.ts';
import type { PlainKernel } from './kernel.ts';
import { pairedDot } from './paired-dot.ts';

export const eliminateRows: PlainKernel<'eliminateRows'> = ({ views }, job, tiles) => {
  const { from, pivots } = job;
  const rowOf = (i: number) => views.doubles(job.triangle + 4 * i * (i + 1), i + 1);
  const end = job.firstRow + Math.min(job.rows, tiles.end * ELIMINATION_TILE);
  for (let i = job.firstRow + tiles.first * ELIMINATION_TILE; i < end; i++) {
    const row = rowOf(i);
    const solved = Math.min(job.to, pivots);
    for (let j = from; j < Math.min(job.to, i + 1); j++) {
      const lower = rowOf(j);
      for (let k = 0; k < from; k += ELIMINATION_CHUNK) {
        row[j]! -= pairedDot(row, lower, k, Math.min(k + ELIMINATION_CHUNK, from));
      }
      const block = j < solved ? j - ((j - from) % ELIMINATION_BLOCK) : solved;
      if (block > from) row[j]! -= pairedDot(row, lower, from, block);
      if (j >= solved) continue;
      for (let k = block; k < j; k++) row[j]! -= row[k]! * lower[k]!;
      row[j]! /= lower[j]!;
    }
  }
};

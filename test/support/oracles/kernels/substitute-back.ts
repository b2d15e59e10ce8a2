import { SUBSTITUTION_PANEL, SUBSTITUTION_TILE } from '../../../../src/kernels/tiles.ts';
import type { PlainKernel } from './kernel.ts';
import { pairedDot } from './paired-dot.ts';

export const substituteBack: PlainKernel<'substituteBack'> = ({ views }, job, tiles) => {
  const { pivots } = job;
  const rowOf = (i: number) => views.doubles(job.triangle + 4 * i * (i + 1), i + 1);
  const panelOf = (j: number) => j - (j % SUBSTITUTION_PANEL);
  const end = job.firstRow + Math.min(job.rows, tiles.end * SUBSTITUTION_TILE);
  for (let i = job.firstRow + tiles.first * SUBSTITUTION_TILE; i < end; i++) {
    const row = rowOf(i);
    for (let j = pivots - 1; j >= 0; j--) {
      const column = Float64Array.from({ length: pivots }, (_, k) => (k < j ? 0 : rowOf(k)[j]!));
      const panelEnd = Math.min(panelOf(j) + SUBSTITUTION_PANEL, pivots);
      for (let to = pivots; to > panelEnd; to = panelOf(to - 1)) {
        row[j]! -= pairedDot(row, column, panelOf(to - 1), to);
      }
      for (let k = panelEnd - 1; k > j; k--) row[j]! -= row[k]! * column[k]!;
      row[j]! /= column[j]!;
    }
  }
};

import { ELIMINATION_TILE } from '../../../../src/kernels/tiles.ts';
import type { PlainKernel } from './kernel.ts';

export const eliminateRows: PlainKernel<'eliminateRows'> = ({ views }, job, tiles) => {
  const rowOf = (i: number) => views.doubles(job.triangle + 4 * i * (i + 1), i + 1);
  const end = Math.min(job.rows, tiles.end * ELIMINATION_TILE);
  for (let i = tiles.first * ELIMINATION_TILE; i < end; i++) {
    const row = rowOf(job.firstRow + i);
    for (let j = job.from; j < job.to; j++) {
      const lower = rowOf(j);
      let [even, odd] = [0, 0];
      for (let k = 0; k + 1 < j; k += 2) {
        even += row[k]! * lower[k]!;
        odd += row[k + 1]! * lower[k + 1]!;
      }
      let sum = even + odd;
      if (j % 2 === 1) sum += row[j - 1]! * lower[j - 1]!;
      row[j] = (row[j]! - sum) / lower[j]!;
    }
  }
};

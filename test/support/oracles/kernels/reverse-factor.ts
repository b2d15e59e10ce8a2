import { TRANSPOSITION_TILE } from '../../../../src/kernels/tiles.ts';
import type { PlainKernel } from './kernel.ts';

export const reverseFactor: PlainKernel<'reverseFactor'> = ({ views }, job, tiles) => {
  const { size, columns } = job;
  const entry = (i: number, j: number) => views.doubles(job.triangle + 4 * i * (i + 1), i + 1)[j]!;
  const end = Math.min(columns, tiles.end * TRANSPOSITION_TILE);
  const pivots = views.floats(job.pivots, columns);
  for (let k = tiles.first * TRANSPOSITION_TILE; k < end; k++) {
    const row = views.floats(job.factor + 2 * k * (k - 1), k);
    const column = size - 1 - k;
    const pivot = column < 0 ? 0 : entry(column, column);
    pivots[k] = pivot ** 2;
    for (let j = 0; j < k; j++) row[j] = column < 0 ? 0 : entry(size - 1 - j, column) / pivot;
  }
};

import { DESCENT_COLUMNS } from '../../../../src/kernels/tiles.ts';
import { addScaled } from './dot.ts';
import type { PlainKernel } from './kernel.ts';

const { fround } = Math;

export const conditionalMoments: PlainKernel<'conditionalMoments'> = ({ views }, job, tiles) => {
  for (let tile = tiles.first; tile < tiles.end; tile++) {
    const first = tile * DESCENT_COLUMNS;
    const size = Math.min(DESCENT_COLUMNS, job.columns - first);
    const at = (k: number) => job.moments + 4 * DESCENT_COLUMNS * (first + k);
    const rows = Array.from({ length: size }, (_, k) => views.floats(at(k), DESCENT_COLUMNS).fill(0));
    const pivots = views.floats(job.pivots + 4 * first, size);
    for (const [j, pivot] of pivots.entries()) {
      const column = first + j;
      const coefficients = views.floats(job.factor + 2 * column * (column - 1) + 4 * first, j);
      for (const [k, coefficient] of coefficients.entries()) {
        const scaled = fround(pivot * coefficient);
        addScaled(rows[k]!.subarray(k, j), scaled, coefficients.subarray(k));
        rows[k]![j] = scaled;
      }
      rows[j]![j] = pivot;
    }
    for (const [i, row] of rows.entries()) for (let k = 0; k < i; k++) row[k] = rows[k]![i]!;
  }
};

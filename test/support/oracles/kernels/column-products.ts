import { COLUMN_TILE } from '../../../../src/kernels/tiles.ts';
import type { PlainKernel } from './kernel.ts';

export const columnProducts: PlainKernel<'columnProducts'> = ({ views }, job, tiles) => {
  const first = tiles.first * COLUMN_TILE;
  const columns = Math.min(tiles.end * COLUMN_TILE, job.columns) - first;
  const sums = views.doubles(job.sums + 8 * first, columns);
  for (let t = 0; t < job.tokens; t++) {
    const x = views.floats(job.x + 4 * (t * job.xTokenStride + first), columns);
    const y = views.floats(job.y + 4 * (t * job.yTokenStride + first), columns);
    for (let c = 0; c < columns; c++) sums[c]! += job.weight * (x[c]! * y[c]!);
  }
};

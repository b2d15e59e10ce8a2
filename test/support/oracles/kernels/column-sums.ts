import { COLUMN_TILE } from '../../../../src/kernels/tiles.ts';
import type { PlainKernel } from './kernel.ts';

export const columnSums: PlainKernel<'columnSums'> = ({ views }, job, tiles) => {
  const first = tiles.first * COLUMN_TILE;
  const columns = Math.min(tiles.end * COLUMN_TILE, job.columns) - first;
  const area = (pointer: number) => (pointer === 0 ? undefined : views.doubles(pointer + 8 * first, columns));
  const [squares, sums, positives] = [area(job.squares)!, area(job.sums), area(job.positives)];
  const { weight } = job;
  for (let t = 0; t < job.tokens; t++) {
    const x = views.floats(job.x + 4 * (t * job.tokenStride + first), columns);
    for (let c = 0; c < columns; c++) {
      squares[c]! += weight * (x[c]! * x[c]!);
      if (sums !== undefined) sums[c]! += weight * x[c]!;
      if (positives !== undefined && x[c]! > 0) positives[c]! += weight;
    }
  }
};

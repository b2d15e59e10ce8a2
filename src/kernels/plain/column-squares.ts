import { COLUMN_TILE } from '../jobs.ts';
import type { PlainKernel } from './kernel.ts';

export const columnSquares: PlainKernel<'columnSquares'> = ({ views }, job, tiles) => {
  const first = tiles.first * COLUMN_TILE;
  const columns = Math.min(tiles.end * COLUMN_TILE, job.columns) - first;
  const squares = views.doubles(job.squares + 8 * first, columns);
  const positives = job.positives === 0 ? undefined : views.doubles(job.positives + 8 * first, columns);
  for (let t = 0; t < job.tokens; t++) {
    const x = views.floats(job.x + 4 * (t * job.tokenStride + first), columns);
    for (let c = 0; c < columns; c++) {
      squares[c]! += x[c]! * x[c]!;
      if (positives !== undefined && x[c]! > 0) positives[c]! += 1;
    }
  }
};

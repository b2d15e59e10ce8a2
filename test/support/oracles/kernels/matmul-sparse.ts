import { SPARSE_TILE } from '../../../../src/kernels/tiles.ts';
import { addScaled } from './dot.ts';
import type { PlainKernel } from './kernel.ts';
import { decodeRow } from './rows.ts';

export const matmulSparse: PlainKernel<'matmulSparse'> = ({ views, scratch }, job, tiles) => {
  const tilesPerToken = Math.ceil(job.columns / SPARSE_TILE);
  for (let tile = tiles.first; tile < tiles.end; tile++) {
    const t = Math.floor(tile / tilesPerToken);
    const c = (tile % tilesPerToken) * SPARSE_TILE;
    const columns = Math.min(SPARSE_TILE, job.columns - c);
    const part = job.weights + (c * job.rowBytes) / job.columns;
    const x = views.floats(job.x + 4 * t * job.xTokenStride, job.rows);
    const y = views.floats(job.y + 4 * (t * job.yTokenStride + c), columns);
    const w = views.floats(scratch, columns);
    let used = 0;
    y.fill(0);
    for (let r = 0; r < job.rows; r++) {
      if (x[r] === 0) continue;
      addScaled(y, x[r]!, decodeRow(views, job.scheme, part + r * job.rowBytes, w));
      used++;
    }
    if (c === 0) views.ints(job.used, job.tokens)[t] = used;
  }
};

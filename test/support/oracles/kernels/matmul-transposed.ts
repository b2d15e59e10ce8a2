import { TRANSPOSED_TILE } from '../../../../src/kernels/tiles.ts';
import { addScaled } from './dot.ts';
import type { PlainKernel } from './kernel.ts';
import { decodeRow } from './rows.ts';

export const matmulTransposed: PlainKernel<'matmulTransposed'> = ({ views, scratch }, job, tiles) => {
  const tilesPerMatrix = Math.ceil(job.columns / TRANSPOSED_TILE);
  for (let tile = tiles.first; tile < tiles.end; tile++) {
    const b = Math.floor(tile / tilesPerMatrix);
    const c = (tile % tilesPerMatrix) * TRANSPOSED_TILE;
    const columns = Math.min(TRANSPOSED_TILE, job.columns - c);
    const part = job.weights + b * job.weightsBatchBytes + (c * job.rowBytes) / job.columns;
    const w = views.floats(scratch, columns);
    for (let t = 0; t < job.tokens; t++) {
      const x = views.floats(job.x + 4 * (b * job.xBatchStride + t * job.xTokenStride), job.rows);
      const y = views.floats(job.y + 4 * (b * job.yBatchStride + t * job.yTokenStride + c), columns).fill(0);
      for (let r = 0; r < job.rows; r++) {
        addScaled(y, x[r]!, decodeRow(views, job.scheme, part + r * job.rowBytes, w));
      }
    }
  }
};

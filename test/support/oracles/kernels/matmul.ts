import { ROW_TILE } from '../../../../src/kernels/tiles.ts';
import { dot } from './dot.ts';
import type { PlainKernel } from './kernel.ts';
import { decodeTile } from './rows.ts';

export const matmul: PlainKernel<'matmul'> = ({ views, scratch }, job, tiles) => {
  const tilesPerMatrix = Math.ceil(job.rows / ROW_TILE);
  for (let tile = tiles.first; tile < tiles.end; tile++) {
    const b = Math.floor(tile / tilesPerMatrix);
    const r = (tile % tilesPerMatrix) * ROW_TILE;
    const pointer = job.weights + b * job.weightsBatchBytes + r * job.rowBytes;
    const rows = decodeTile(views, scratch, job, pointer, job.rows - r);
    for (let t = 0; t < job.tokens; t++) {
      const x = views.floats(job.x + 4 * (b * job.xBatchStride + t * job.xTokenStride), job.columns);
      const y = views.floats(job.y + 4 * (b * job.yBatchStride + t * job.yTokenStride + r), rows.length);
      rows.forEach((row, i) => {
        y[i] = dot(x, row);
      });
    }
  }
};

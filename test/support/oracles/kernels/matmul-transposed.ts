import { ROW_TILE } from '../../../../src/kernels/tiles.ts';
import { addScaled } from './dot.ts';
import type { PlainKernel } from './kernel.ts';
import { decodeTile } from './rows.ts';

export const matmulTransposed: PlainKernel<'matmulTransposed'> = ({ views, scratch }, job, tiles) => {
  for (let b = tiles.first; b < tiles.end; b++) {
    const y = (t: number) =>
      views.floats(job.y + 4 * (b * job.yBatchStride + t * job.yTokenStride), job.columns);
    for (let t = 0; t < job.tokens; t++) y(t).fill(0);
    for (let r = 0; r < job.rows; r += ROW_TILE) {
      const pointer = job.weights + b * job.weightsBatchBytes + r * job.rowBytes;
      const rows = decodeTile(views, scratch, job, pointer, job.rows - r);
      for (let t = 0; t < job.tokens; t++) {
        const x = views.floats(job.x + 4 * (b * job.xBatchStride + t * job.xTokenStride + r), rows.length);
        rows.forEach((row, i) => {
          addScaled(y(t), x[i]!, row);
        });
      }
    }
  }
};

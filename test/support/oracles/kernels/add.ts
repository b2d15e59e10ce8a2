import type { PlainKernel } from './kernel.ts';

export const add: PlainKernel<'add'> = ({ views }, job, tiles) => {
  for (let t = tiles.first; t < tiles.end; t++) {
    const x = views.floats(job.x + 4 * t * job.xTokenStride, job.columns);
    const y = views.floats(job.y + 4 * t * job.yTokenStride, job.columns);
    for (let c = 0; c < job.columns; c++) y[c] = y[c]! + x[c]!;
  }
};

import type { PlainKernel } from './kernel.ts';

export const reluSquared: PlainKernel<'reluSquared'> = ({ views }, job, tiles) => {
  for (let t = tiles.first; t < tiles.end; t++) {
    const x = views.floats(job.x + 4 * t * job.tokenStride, job.columns);
    for (let c = 0; c < job.columns; c++) x[c] = Math.max(x[c]!, 0) ** 2;
  }
};

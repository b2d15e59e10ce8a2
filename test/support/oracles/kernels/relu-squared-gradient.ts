import type { PlainKernel } from './kernel.ts';

const { fround } = Math;

export const reluSquaredGradient: PlainKernel<'reluSquaredGradient'> = ({ views }, job, tiles) => {
  for (let t = tiles.first; t < tiles.end; t++) {
    const y = views.floats(job.y + 4 * t * job.yTokenStride, job.columns);
    const g = views.floats(job.g + 4 * t * job.gTokenStride, job.columns);
    for (let c = 0; c < job.columns; c++) g[c] = g[c]! * 2 * fround(Math.sqrt(y[c]!));
  }
};

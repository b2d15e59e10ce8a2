import type { PlainKernel } from './kernel.ts';

const { fround } = Math;

export const rmsNorm: PlainKernel<'rmsNorm'> = ({ views }, job, tiles) => {
  const gamma = views.floats(job.gamma, job.columns);
  for (let t = tiles.first; t < tiles.end; t++) {
    const x = views.floats(job.x + 4 * t * job.xTokenStride, job.columns);
    const y = views.floats(job.y + 4 * t * job.yTokenStride, job.columns);
    let sum = 0;
    for (const value of x) sum += value * value;
    const scale = fround(1 / Math.sqrt(sum / job.columns + job.epsilon));
    for (let c = 0; c < job.columns; c++) y[c] = fround(x[c]! * scale) * gamma[c]!;
  }
};

import type { PlainKernel } from './kernel.ts';

const { fround } = Math;

export const rmsNormGradient: PlainKernel<'rmsNormGradient'> = ({ views }, job, tiles) => {
  const gamma = views.floats(job.gamma, job.columns);
  for (let t = tiles.first; t < tiles.end; t++) {
    const x = views.floats(job.x + 4 * t * job.xTokenStride, job.columns);
    const g = views.floats(job.g + 4 * t * job.gTokenStride, job.columns);
    let [squares, products] = [0, 0];
    for (let c = 0; c < job.columns; c++) {
      squares += x[c]! ** 2;
      products += x[c]! * fround(g[c]! * gamma[c]!);
    }
    const scale = 1 / Math.sqrt(squares / job.columns + job.epsilon);
    const pull = (scale * scale * scale * products) / job.columns;
    for (let c = 0; c < job.columns; c++) g[c] = scale * fround(g[c]! * gamma[c]!) - pull * x[c]!;
  }
};

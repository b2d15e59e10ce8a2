import type { PlainKernel } from './kernel.ts';

const { fround } = Math;

export const rope: PlainKernel<'rope'> = ({ views }, job, tiles) => {
  const pairs = job.dim / 2;
  const [step, distance] = job.interleaved ? [2, 1] : [1, pairs];
  for (let t = tiles.first; t < tiles.end; t++) {
    const table = views.floats(job.table + 4 * (job.position + t) * job.dim, job.dim);
    for (let h = 0; h < job.heads; h++) {
      const x = views.floats(job.x + 4 * (t * job.tokenStride + h * job.headStride), job.dim);
      for (let i = 0; i < pairs; i++) {
        const [cos, sin] = [table[2 * i]!, table[2 * i + 1]!];
        const [first, second] = [x[i * step]!, x[i * step + distance]!];
        x[i * step] = fround(first * cos) - fround(second * sin);
        x[i * step + distance] = fround(first * sin) + fround(second * cos);
      }
    }
  }
};

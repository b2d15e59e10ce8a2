import type { PlainKernel } from './kernel.ts';

export const listNonzeros: PlainKernel<'listNonzeros'> = ({ views }, job, tiles) => {
  const room = (job.listStride - 8) / 8;
  for (let t = tiles.first; t < tiles.end; t++) {
    const x = views.floats(job.x + 4 * t * job.tokenStride, job.columns);
    const list = job.lists + t * job.listStride;
    const found = Array.from(x.keys()).filter((c) => x[c] !== 0);
    views.ints(list, 1)[0] = found.length;
    for (const [at, column] of found.slice(0, room).entries()) {
      views.ints(list + 8 + 8 * at, 1)[0] = column;
      views.floats(list + 12 + 8 * at, 1)[0] = x[column]!;
    }
  }
};

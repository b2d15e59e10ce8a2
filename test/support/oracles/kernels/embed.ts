import type { PlainKernel } from './kernel.ts';
import { decodeRow } from './rows.ts';

export const embed: PlainKernel<'embed'> = ({ views }, job, tiles) => {
  const ids = views.ints(job.ids, job.tokens);
  for (let t = tiles.first; t < tiles.end; t++) {
    const y = views.floats(job.y + 4 * t * job.yTokenStride, job.columns);
    decodeRow(views, job.scheme, job.weights + ids[t]! * job.rowBytes, y);
  }
};

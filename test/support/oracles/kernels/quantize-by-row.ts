import { encodeQ8_0ByRow } from '../schemes/q8_0.ts';
import type { PlainKernel } from './kernel.ts';
import { decodeRow } from './rows.ts';

export const quantizeByRow: PlainKernel<'quantizeByRow'> = ({ views, scratch }, job, tiles) => {
  const values = views.floats(scratch, job.columns);
  for (let r = tiles.first; r < tiles.end; r++) {
    const row = decodeRow(views, job.sourceScheme, job.source + r * job.sourceRowBytes, values);
    const target = views.bytes(job.target + r * job.targetRowBytes, job.targetRowBytes);
    encodeQ8_0ByRow(row, 0, target, 0, job.columns);
  }
};

import { encoderOf } from '../schemes/index.ts';
import type { PlainKernel } from './kernel.ts';
import { decodeRow, schemeOf } from './rows.ts';

export const transcode: PlainKernel<'transcode'> = ({ views, scratch }, job, tiles) => {
  const importance = job.importance === 0 ? undefined : views.floats(job.importance, job.columns);
  for (let r = tiles.first; r < tiles.end; r++) {
    const source = job.source + r * job.sourceRowBytes;
    const target = views.bytes(job.target + r * job.targetRowBytes, job.targetRowBytes);
    if (job.sourceScheme === job.targetScheme) {
      target.set(views.bytes(source, job.sourceRowBytes));
      continue;
    }
    const row = decodeRow(views, job.sourceScheme, source, views.floats(scratch, job.columns));
    encoderOf(schemeOf(job.targetScheme))(row, 0, target, 0, job.columns, importance);
  }
};

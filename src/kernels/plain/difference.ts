import type { PlainKernel } from './kernel.ts';
import { decodeRow } from './rows.ts';

export const difference: PlainKernel<'difference'> = ({ views, scratch }, job, tiles) => {
  for (let r = tiles.first; r < tiles.end; r++) {
    const a = decodeRow(views, job.aScheme, job.a + r * job.aRowBytes, views.floats(scratch, job.columns));
    const b = decodeRow(
      views,
      job.bScheme,
      job.b + r * job.bRowBytes,
      views.floats(scratch + 4 * job.columns, job.columns),
    );
    let squaredError = 0;
    let squares = 0;
    let largest = 0;
    let notFinite = 0;
    for (let c = 0; c < job.columns; c++) {
      const error = a[c]! - b[c]!;
      squaredError += error * error;
      squares += a[c]! * a[c]!;
      largest = Math.max(largest, Math.abs(error));
      if (!Number.isFinite(b[c]!)) notFinite++;
    }
    views.doubles(job.out + 32 * r, 4).set([squaredError, squares, largest, notFinite]);
  }
};

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
    const errors = [0, 0, 0, 0];
    const squares = [0, 0, 0, 0];
    let largest = 0;
    let notFinite = 0;
    for (let c = 0; c < job.columns; c++) {
      const error = a[c]! - b[c]!;
      errors[c & 3]! += error * error;
      squares[c & 3]! += a[c]! * a[c]!;
      if (largest < Math.abs(error)) largest = Math.abs(error);
      if (!Number.isFinite(b[c]!)) notFinite++;
    }
    views.doubles(job.out + 32 * r, 4).set([sumFour(errors), sumFour(squares), largest, notFinite]);
  }
};

function sumFour([a, b, c, d]: readonly number[]): number {
  return a! + b! + (c! + d!);
}

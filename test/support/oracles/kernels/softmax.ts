import { expNegative } from './exp.ts';
import type { PlainKernel } from './kernel.ts';

const { fround } = Math;

export const softmax: PlainKernel<'softmax'> = ({ views }, job, tiles) => {
  for (let t = tiles.first; t < tiles.end; t++) {
    softmaxOf(views.floats(job.x + 4 * t * job.tokenStride, job.columns));
  }
};

/** In place. */
export function softmaxOf(x: Float32Array): void {
  const largest = x.reduce((a, b) => Math.max(a, b));
  let sum = 0;
  for (let c = 0; c < x.length; c++) {
    x[c] = expNegative(fround(x[c]! - largest));
    sum += x[c]!;
  }
  const inverse = fround(1 / sum);
  for (let c = 0; c < x.length; c++) x[c] = x[c]! * inverse;
}

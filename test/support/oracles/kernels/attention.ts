import { addScaled, dot } from './dot.ts';
import { expNegative } from './exp.ts';
import type { PlainKernel } from './kernel.ts';

const { fround } = Math;

export const attention: PlainKernel<'attention'> = ({ views, scratch }, job, tiles) => {
  for (let tile = tiles.first; tile < tiles.end; tile++) {
    const t = Math.floor(tile / job.heads);
    const h = tile % job.heads;
    const length = job.position + t + 1;
    const q = views.floats(job.q + 4 * (t * job.qTokenStride + h * job.qHeadStride), job.keyDim);
    const out = views.floats(job.out + 4 * (t * job.outTokenStride + h * job.outHeadStride), job.valueDim);
    const scores = views.floats(scratch, length);

    let largest = -Infinity;
    for (let s = 0; s < length; s++) {
      const key = views.floats(job.keys + 4 * (s * job.keyStride + h * job.keyHeadStride), job.keyDim);
      scores[s] = fround(job.scale) * dot(q, key);
      largest = Math.max(largest, scores[s]!);
    }
    let sum = 0;
    for (let s = 0; s < length; s++) {
      scores[s] = expNegative(fround(scores[s]! - largest));
      sum += scores[s]!;
    }
    out.fill(0);
    for (let s = 0; s < length; s++) {
      const value = views.floats(
        job.values + 4 * (s * job.valueStride + h * job.valueHeadStride),
        job.valueDim,
      );
      addScaled(out, scores[s]!, value);
    }
    const inverse = fround(1 / sum);
    for (let c = 0; c < job.valueDim; c++) out[c] = out[c]! * inverse;
  }
};

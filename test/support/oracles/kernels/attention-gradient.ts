import { addScaled, dot } from './dot.ts';
import type { PlainKernel } from './kernel.ts';
import { softmaxOf } from './softmax.ts';

const { fround } = Math;

export const attentionGradient: PlainKernel<'attentionGradient'> = ({ views }, job, tiles) => {
  const { heads, tokens, keyDim, valueDim } = job;
  const scale = fround(job.scale);
  for (let h = tiles.first; h < tiles.end; h++) {
    const of = (pointer: number, token: number, stride: number, headStride: number, columns: number) =>
      views.floats(pointer + 4 * (token * stride + h * headStride), columns);
    const key = (s: number) => of(job.keys, s, job.keyStride, job.keyHeadStride, keyDim);
    const value = (s: number) => of(job.values, s, job.valueStride, job.valueHeadStride, valueDim);
    const gKey = (s: number) => of(job.gKeys, s, heads * keyDim, keyDim, keyDim);
    const gValue = (s: number) => of(job.gValues, s, heads * valueDim, valueDim, valueDim);
    for (let s = 0; s < tokens; s++) {
      gKey(s).fill(0);
      gValue(s).fill(0);
    }
    for (let t = 0; t < tokens; t++) {
      const q = of(job.q, t, job.qTokenStride, job.qHeadStride, keyDim);
      const g = of(job.g, t, job.gTokenStride, job.gHeadStride, valueDim);
      const gq = of(job.gq, t, heads * keyDim, keyDim, keyDim).fill(0);
      const weights = Float32Array.from({ length: t + 1 }, (_, s) => scale * dot(q, key(s)));
      softmaxOf(weights);
      const products = weights.map((_, s) => dot(g, value(s)));
      const mean = weights.reduce((sum, weight, s) => sum + weight * products[s]!, 0);
      const slopes = weights.map((weight, s) => fround(scale * weight) * fround(products[s]! - mean));
      for (let s = 0; s <= t; s++) {
        addScaled(gKey(s), slopes[s]!, q);
        addScaled(gValue(s), weights[s]!, g);
        addScaled(gq, slopes[s]!, key(s));
      }
    }
  }
};

import { MOMENT_TILE, MOMENT_TOKENS } from '../../../../src/kernels/tiles.ts';
import type { PlainKernel } from './kernel.ts';

export const secondMoments: PlainKernel<'secondMoments'> = ({ views }, job, tiles) => {
  const { columns, tokens, weight } = job;
  const end = Math.min(tiles.end * MOMENT_TILE, columns);
  const value = (t: number, c: number) => views.floats(job.x + 4 * (t * job.tokenStride + c), 1)[0]!;
  for (let i = tiles.first * MOMENT_TILE; i < end; i++) {
    const row = views.doubles(job.moments + 8 * (i * columns - (i * (i - 1)) / 2), columns - i);
    for (let from = 0; from < tokens; from += MOMENT_TOKENS) {
      const sums = new Float32Array(columns);
      for (let t = from; t < Math.min(from + MOMENT_TOKENS, tokens); t++) {
        const factor = value(t, i);
        if (factor === 0) continue;
        for (let j = i; j < columns; j++) sums[j]! += Math.fround(factor * value(t, j));
      }
      for (let j = i; j < columns; j++) row[j - i]! += weight * sums[j]!;
    }
  }
};

import { MOMENT_TILE } from '../../../../src/kernels/tiles.ts';
import type { PlainKernel } from './kernel.ts';

export const secondMoments: PlainKernel<'secondMoments'> = ({ views }, job, tiles) => {
  const { columns, tokens, weight } = job;
  const end = Math.min(tiles.end * MOMENT_TILE, columns);
  for (let i = tiles.first * MOMENT_TILE; i < end; i++) {
    const row = views.doubles(job.moments + 8 * (i * columns - (i * (i - 1)) / 2), columns - i);
    for (let t = 0; t < tokens; t++) {
      const x = views.floats(job.x + 4 * t * job.tokenStride, columns);
      const factor = weight * x[i]!;
      if (factor === 0) continue;
      for (let j = i; j < columns; j++) row[j - i]! += factor * x[j]!;
    }
  }
};

import { SPARSE_MOMENT_TILE } from '../../../../src/kernels/tiles.ts';
import type { PlainKernel } from './kernel.ts';

export const sparseMoments: PlainKernel<'sparseMoments'> = ({ views }, job, tiles) => {
  const { columns, tokens, weight } = job;
  const x = Array.from({ length: tokens }, (_, t) => {
    const values = new Float32Array(columns);
    const list = job.lists + t * job.listStride;
    const count = views.ints(list, 1)[0]!;
    for (let at = list + 8; at < list + 8 + 8 * count; at += 8) {
      values[views.ints(at, 1)[0]!] = views.floats(at + 4, 1)[0]!;
    }
    return values;
  });
  const end = Math.min(tiles.end * SPARSE_MOMENT_TILE, columns);
  for (let i = tiles.first * SPARSE_MOMENT_TILE; i < end; i++) {
    const row = views.doubles(job.moments + 8 * (i * columns - (i * (i - 1)) / 2), columns - i);
    for (let j = i; j < columns; j++) {
      let sum = 0;
      for (const values of x) {
        const product = Math.fround(values[i]! * values[j]!);
        if (product !== 0) sum = Math.fround(sum + product);
      }
      row[j - i]! += weight * sum;
    }
  }
};

import { SCHEMES } from '../../../../src/core/scheme.ts';
import { ROW_TILE } from '../../../../src/kernels/tiles.ts';
import type { CodeGrid } from '../schemes/code-grid.ts';
import { codeGridOf, encoderOf } from '../schemes/index.ts';
import { nearestInt } from '../schemes/nearest-int.ts';
import { iq4Code } from '../schemes/search/iq4-scale.ts';
import type { PlainKernel } from './kernel.ts';
import { decodeRow, schemeOf } from './rows.ts';

const { fround } = Math;
const GROUP_SIZE = 16;

export const roundWithFeedback: PlainKernel<'roundWithFeedback'> = ({ views, scratch }, job, tiles) => {
  const { columns } = job;
  const scheme = schemeOf(job.targetScheme);
  const encode = encoderOf(scheme);
  const grid = codeGridOf(scheme)!;
  const { blockSize, blockBytes } = SCHEMES[scheme];
  const factor = views.floats(job.factor, (columns * (columns - 1)) / 2);
  const importance = job.importance === 0 ? undefined : views.floats(job.importance, columns);
  const original = views.floats(scratch, columns);
  const corrected = views.floats(scratch + 4 * columns, columns);
  const end = Math.min(job.rows, tiles.end * ROW_TILE);
  for (let r = tiles.first * ROW_TILE; r < end; r++) {
    decodeRow(views, job.sourceScheme, job.source + r * job.sourceRowBytes, original);
    corrected.set(original);
    const target = views.bytes(job.target + r * job.targetRowBytes, job.targetRowBytes);
    let coefficients = 0;
    for (let c = 0; c < columns; c += blockSize) {
      const block = (c / blockSize) * blockBytes;
      encode(corrected, c, target, block, blockSize, importance?.subarray(c, c + blockSize));
      for (let j = 0; j < blockSize; j++) {
        const error = fround(original[c + j]! - roundCode(grid, target, block, j, corrected[c + j]!));
        for (let k = c + j + 1; k < columns; k++, coefficients++) {
          corrected[k]! += fround(error * factor[coefficients]!);
        }
      }
    }
  }
};

/** Writes the code of weight `j` of a block, nearest to `value`, and returns what it stands for. */
function roundCode(grid: CodeGrid, target: Uint8Array, block: number, j: number, value: number): number {
  const group = Math.floor(j / GROUP_SIZE);
  const step = grid.stepOf(target, block, group);
  const min = grid.minOf(target, block, group);
  const quotient = fround(fround(value + min) * (step === 0 ? 0 : fround(1 / step)));
  const code =
    grid.levels === undefined
      ? nearestInt(Math.max(0, Math.min(grid.largestCode, quotient)))
      : iq4Code(quotient);
  grid.setCode(target, block, j, code);
  return fround(fround((grid.levels?.[code] ?? code) * step) - min);
}

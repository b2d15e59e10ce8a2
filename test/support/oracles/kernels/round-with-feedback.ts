import { SCHEMES } from '../../../../src/core/scheme.ts';
import { FEEDBACK_TILE } from '../../../../src/kernels/tiles.ts';
import type { CodeGrid } from '../schemes/code-grid.ts';
import { codeGridOf, encoderOf } from '../schemes/index.ts';
import { nearestInt } from '../schemes/nearest-int.ts';
import { iq4Code } from '../schemes/search/iq4-scale.ts';
import { dot } from './dot.ts';
import type { PlainKernel } from './kernel.ts';
import { decodeRow, schemeOf } from './rows.ts';

const { fround } = Math;
const GROUP_SIZE = 16;
const SPAN = 32;

/** Without a refit of scales, which test/kernels/refit.test.ts holds to its loss. */
export const roundWithFeedback: PlainKernel<'roundWithFeedback'> = ({ views, scratch }, job, tiles) => {
  if (job.pivots !== 0) throw new Error('the plain kernel does not refit scales');
  const { columns } = job;
  const scheme = schemeOf(job.targetScheme);
  const encode = encoderOf(scheme);
  const grid = codeGridOf(scheme)!;
  const { blockSize, blockBytes } = SCHEMES[scheme];
  const factor = views.floats(job.factor, (columns * (columns - 1)) / 2);
  const importance = job.importance === 0 ? undefined : views.floats(job.importance, columns);
  // The errors of columns that have been rounded, the weights of the others.
  const errors = views.floats(scratch, columns);
  const corrected = new Float32Array(columns);
  const end = Math.min(job.rows, tiles.end * FEEDBACK_TILE);
  for (let r = tiles.first * FEEDBACK_TILE; r < end; r++) {
    decodeRow(views, job.sourceScheme, job.source + r * job.sourceRowBytes, errors);
    const target = views.bytes(job.target + r * job.targetRowBytes, job.targetRowBytes);
    /** Adds to column k what it takes over from the errors of columns `from` .. `to` - 1. */
    const takeOver = (k: number, from: number, to: number) => {
      const row = (k * (k - 1)) / 2;
      const taken = dot(errors.subarray(from, to), factor.subarray(row + from, row + to));
      corrected[k] = fround(corrected[k]! + taken);
    };
    for (let c = 0; c < columns; c += blockSize) {
      const block = (c / blockSize) * blockBytes;
      for (let k = c; k < c + blockSize; k++) {
        corrected[k] = errors[k]!;
        takeOver(k, 0, c);
      }
      encode(corrected, c, target, block, blockSize, importance?.subarray(c, c + blockSize));
      for (let k = c; k < c + blockSize; k++) {
        const span = k - (k % SPAN);
        takeOver(k, c, span);
        takeOver(k, span, k);
        errors[k] = fround(errors[k]! - roundCode(grid, target, block, k - c, corrected[k]!));
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

import { SCHEMES } from '../../../../src/core/scheme.ts';
import { DESCENT_COLUMNS, FEEDBACK_TILE } from '../../../../src/kernels/tiles.ts';
import type { CodeGrid } from '../schemes/code-grid.ts';
import { codeGridOf, encoderOf } from '../schemes/index.ts';
import { nearestInt } from '../schemes/nearest-int.ts';
import { iq4Code } from '../schemes/search/iq4-scale.ts';
import { addScaled, dot } from './dot.ts';
import type { PlainKernel } from './kernel.ts';
import { decodeRow, schemeOf } from './rows.ts';

const { fround } = Math;
const GROUP_SIZE = 16;
const SPAN = 32;
const SWEEPS = 4;

/** Without a refit of scales, which test/kernels/refit.test.ts holds to its loss. */
export const roundWithFeedback: PlainKernel<'roundWithFeedback'> = ({ views, scratch }, job, tiles) => {
  if (job.refits !== 0) throw new Error('the plain kernel does not refit scales');
  const { columns } = job;
  const scheme = schemeOf(job.targetScheme);
  const encode = encoderOf(scheme);
  const grid = codeGridOf(scheme)!;
  const { blockSize, blockBytes } = SCHEMES[scheme];
  const coefficients = (k: number, from: number, to: number) =>
    views.floats(job.factor + 2 * k * (k - 1) + 4 * from, to - from);
  const pivots = views.floats(job.pivots, columns);
  const momentsOf = (k: number) => views.floats(job.conditional + 4 * k * DESCENT_COLUMNS, DESCENT_COLUMNS);
  const importance = job.importance === 0 ? undefined : views.floats(job.importance, columns);
  // The errors of columns that have been rounded, the weights of the others.
  const errors = views.floats(scratch, columns);
  const corrected = new Float32Array(columns);
  const residuals = new Float32Array(columns);
  const levels = new Float32Array(columns);
  const end = Math.min(job.rows, tiles.end * FEEDBACK_TILE);
  for (let r = tiles.first * FEEDBACK_TILE; r < end; r++) {
    decodeRow(views, job.sourceScheme, job.source + r * job.sourceRowBytes, errors);
    const weights = errors.slice();
    const target = views.bytes(job.target + r * job.targetRowBytes, job.targetRowBytes);
    const place = (k: number) => {
      const block = Math.floor(k / blockSize) * blockBytes;
      const group = Math.floor((k % blockSize) / GROUP_SIZE);
      return { block, step: grid.stepOf(target, block, group), min: grid.minOf(target, block, group) };
    };
    /** Writes a code and returns what the weight is rounded to. */
    const write = (k: number, code: number) => {
      const { block, step, min } = place(k);
      grid.setCode(target, block, k % blockSize, code);
      levels[k] = levelOf(grid, code);
      const rounded = fround(fround(levels[k]! * step) - min);
      errors[k] = fround(weights[k]! - rounded);
      return rounded;
    };
    /** Adds to column k what it takes over from the errors of columns `from` .. `to` - 1. */
    const takeOver = (k: number, from: number, to: number) => {
      corrected[k] = fround(corrected[k]! + dot(errors.subarray(from, to), coefficients(k, from, to)));
    };
    const roundBlock = (c: number) => {
      for (let k = c; k < c + blockSize; k++) {
        corrected[k] = errors[k]!;
        takeOver(k, 0, c);
      }
      const block = (c / blockSize) * blockBytes;
      encode(corrected, c, target, block, blockSize, importance?.subarray(c, c + blockSize));
      for (let k = c; k < c + blockSize; k++) {
        const span = k - (k % SPAN);
        takeOver(k, c, span);
        takeOver(k, span, k);
        const { step, min } = place(k);
        const inverse = step === 0 ? 0 : fround(1 / step);
        const code = codeOf(grid, fround(fround(corrected[k]! + min) * inverse));
        residuals[k] = fround(corrected[k]! - write(k, code));
      }
    };
    const descend = (first: number, size: number) => {
      const gradient = new Float32Array(size);
      for (let j = 0; j < size; j++) {
        const scaled = fround(pivots[first + j]! * residuals[first + j]!);
        addScaled(gradient.subarray(0, j), scaled, coefficients(first + j, first, first + j));
        gradient[j] = scaled;
      }
      for (let sweep = 0; sweep < SWEEPS; sweep++) {
        for (let j = 0; j < size; j++) {
          const k = first + j;
          const { step } = place(k);
          const [slope, curvature] = [gradient[j]!, momentsOf(k)[j]!];
          if (step === 0 || curvature === 0) continue;
          const code = codeOf(grid, fround(levels[k]! + fround(fround(slope / curvature) / step)));
          const change = fround(fround(levelOf(grid, code) - levels[k]!) * step);
          const gain = fround(change * fround(fround(slope + slope) - fround(change * curvature)));
          if (!(gain > 0)) continue;
          write(k, code);
          addScaled(gradient, -change, momentsOf(k));
        }
      }
    };
    for (let w = 0; w < columns; w += DESCENT_COLUMNS) {
      const size = Math.min(DESCENT_COLUMNS, columns - w);
      for (let c = w; c < w + size; c += blockSize) roundBlock(c);
      if (job.conditional !== 0) descend(w, size);
    }
  }
};

/** The code nearest to `quotient`, which is (weight + min) / step. */
function codeOf({ levels, largestCode }: CodeGrid, quotient: number): number {
  return levels === undefined ? nearestInt(Math.max(0, Math.min(largestCode, quotient))) : iq4Code(quotient);
}

function levelOf({ levels }: CodeGrid, code: number): number {
  return levels?.[code] ?? code;
}

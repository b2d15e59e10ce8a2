import { type NeuronStatistics, triangleSize } from '../../core/statistics.ts';
import { rowCount, type Tensor } from '../../core/tensor.ts';
import { decodedRows } from '../rows/float-rows.ts';
import type { Repair } from './least-squares.ts';

/** Rows of down_proj that errors are measured on, evenly spread. */
const MEASURED_ROWS = 256;

/** z of 95 % on one side. */
const Z = 1.6449;

/**
 * Upper end, at 95 %, of the rate of what was seen `hits` times in `trials` (Wilson, 1927); 2.7 / trials for
 * none.
 */
export function rateBound(hits: number, trials: number): number {
  const rate = hits / trials;
  const spread = Z * Math.sqrt((rate * (1 - rate)) / trials + (Z / (2 * trials)) ** 2);
  return Math.min(1, (rate + Z ** 2 / (2 * trials) + spread) / (1 + Z ** 2 / trials));
}

/** The error of a layer without its removed neurons. */
export interface Loss {
  readonly down: Tensor;
  readonly neurons: NeuronStatistics;
  readonly kept: Int32Array;
  readonly removed: Int32Array;
  /** E[h h^T] of the kept, then of the removed neurons; after `leastSquares` where there is a repair. */
  readonly triangle: Float64Array;
  /** Of least squares. */
  readonly repair?: Repair;
  /** Whether a bias makes up for the mean. */
  readonly bias: boolean;
}

/**
 * Mean square of the error of the FFN's output, as part of that of the output, over the tokens of the
 * calibration: w C_RR w^T for what a row w of down_proj gives its removed neurons, less what the kept ones or
 * a bias take over.
 */
export async function relativeLoss(loss: Loss, signal?: AbortSignal): Promise<number> {
  const { down, neurons, removed } = loss;
  const every = Math.max(1, Math.ceil(rowCount(down) / MEASURED_ROWS));
  let [error, output] = [0, 0];
  for (let row = 0; row < rowCount(down); row += every * down.rowStep) {
    for await (const { values, index } of decodedRows(down, { first: row, count: down.rowStep }, signal)) {
      const weights = Float64Array.from(removed, (i) => values[i]!);
      error += rowLoss(loss, weights) - takenBack(loss, index);
      output += neurons.outputSquares[index]!;
    }
  }
  return error <= 0 ? 0 : error / output;
}

/** w C_RR w^T, or what least squares leave of it, less the square of the mean where a bias makes up for it. */
function rowLoss({ neurons, kept, removed, triangle, bias }: Loss, weights: Float64Array): number {
  let [loss, mean] = [0, 0];
  for (let r = 0; r < removed.length; r++) {
    const row = triangleSize(kept.length + r) + kept.length;
    const w = weights[r]!;
    let sum = (w * triangle[row + r]!) / 2;
    for (let s = 0; s < r; s++) sum += weights[s]! * triangle[row + s]!;
    loss += 2 * w * sum;
    mean += w * neurons.means[removed[r]!]!;
  }
  return bias ? loss - mean ** 2 : loss;
}

/** What the lambda of least squares counts too much in what they leave of a row. */
function takenBack({ kept, repair }: Loss, index: number): number {
  if (repair === undefined) return 0;
  const row = repair.correction.subarray(index * kept.length, (index + 1) * kept.length);
  return repair.lambda * row.reduce((sum, value) => sum + value ** 2, 0);
}

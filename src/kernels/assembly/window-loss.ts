import { DESCENT_COLUMNS } from '../tiles';
import { factorRow } from './feedback-factor';
import { floatBytes } from './job';

/**
 * What the errors of a window of columns cost, for all rows: with residuals r, the sum of pivots times r^2.
 * Columns count from the first of the window.
 */
@unmanaged
export class WindowLoss {
  /** Number of the first column. */
  first: i32;
  size: i32;
  factor: usize;
  pivots: usize;
  /** Those of `conditionalMoments`, and their diagonal. */
  moments: usize;
  diagonal: usize;

  /** Coefficients of column `k` for columns of the window from `from` on. */
  coefficients(k: i32, from: i32): usize {
    return factorRow(this.factor, this.first + k) + floatBytes(this.first + from);
  }

  momentsOf(k: i32): usize {
    return this.moments + <usize>k * floatBytes(DESCENT_COLUMNS);
  }

  /** Gathers the diagonal of the moments. */
  readDiagonal(): void {
    for (let k = 0; k < this.size; k++) {
      store<f32>(this.diagonal + floatBytes(k), load<f32>(this.momentsOf(k) + floatBytes(k)));
    }
  }
}

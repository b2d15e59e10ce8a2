/**
 * A least-squares problem: channels K and, behind them, channels R with the second moments C; a matrix W is
 * multiplied with those of R, and shall be left out.
 */
export interface Regression {
  /**
   * C, a lower triangle row by row. Afterwards its entries of R by R are those of the Schur complement, C_RR -
   * C_RK C_KK^-1 C_KR; the others are undefined.
   */
  readonly triangle: Float64Array;
  /** Channels of K. */
  readonly pivots: number;
  /** The least square of a pivot, where rounding leaves less. */
  readonly least: number;
  /** W, row by row. */
  readonly weights: Float32Array;
  /** Told which part of the work is done. */
  readonly onProgress?: (share: number) => void;
}

/**
 * Returns W C_RK C_KK^-1, row by row, whose product with the channels of K fits that of W with those of R
 * best. Works on all threads and gives turns; whoever runs passes lends it, since passes know no threads.
 * @throws the reason of `signal` once it is aborted.
 */
export type Regress = (regression: Regression, signal?: AbortSignal) => Promise<Float32Array>;

/**
 * One array of statistics about a matrix. `input`: sums of squares of what it is multiplied with, as llama-imatrix has
 * them. `extra-input`: the same, for what quantizers must not take up by themselves: a tied head, and the parts of
 * kv_b_proj in the latent form of attention. `firings`: numbers of tokens for which an output is above zero.
 */
export interface StatisticSlot {
  /** GGUF name of the matrix. */
  readonly matrix: string;
  readonly kind: 'input' | 'extra-input' | 'firings';
  /** Row-major: [channels], or [heads, channels]. */
  readonly shape: readonly number[];
}

export interface Statistic extends StatisticSlot {
  readonly values: Float64Array;
}

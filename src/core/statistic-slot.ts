/**
 * One array of statistics about a matrix, sums over tokens. `input`: squares of what it is multiplied with,
 * as llama-imatrix has them. `extra-input`: the same, for what quantizers must not take up by themselves: a
 * tied head, and the parts of kv_b_proj in the latent form of attention. `sums`: what it is multiplied with.
 * `output`: squares of what it gives. `firings`: tokens for which an output is above zero. `fired`: for which
 * of a sample of tokens, as bits. `moments`: products of every two channels of what it is multiplied with, an
 * upper triangle row by row.
 */
export interface StatisticSlot {
  /** GGUF name of the matrix. */
  readonly matrix: string;
  readonly kind: 'input' | 'extra-input' | 'sums' | 'output' | 'firings' | 'fired' | 'moments';
  /** Row-major: [channels], or [heads, channels], or [neurons, words]. */
  readonly shape: readonly number[];
}

import type { Tensor } from '../../../src/core/tensor.ts';

/**
 * How a graph holds matrices and multiplies by them. Names are those of Hugging Face; `at` names nodes.
 * Activations that are multiplied are `[n, in_features]`.
 */
export interface Weights {
  /** A norm's weights. */
  vector(tensor: Tensor): string;
  /** `[n, in]` to `[n, out]` by a matrix `[out, in]`. */
  linear(at: string, x: string, tensor: Tensor): string;
  /**
   * `[batch, heads, n, in]` to `[batch, heads, n, out]`, each head by its own matrix of `[heads, out, in]`.
   */
  heads(at: string, x: string, tensor: Tensor): string;
  /** Rows `[n, out]` of a table `[vocab, out]` by ids `[n]`. */
  embed(at: string, ids: string, tensor: Tensor): string;
}

import type { BundleModel } from '../manifest.ts';

/**
 * cos and sin by position and pair: pair i turns by position * theta^(-2i/dim) (RoFormer, arXiv 2104.09864,
 * section 3.2.2).
 */
export function ropeTable(
  { rope_theta: theta, qk_rope_head_dim: dim }: BundleModel,
  positions: number,
): Float32Array<ArrayBuffer> {
  const table = new Float32Array(positions * dim);
  for (let position = 0; position < positions; position++) {
    for (let pair = 0; 2 * pair < dim; pair++) {
      const angle = position * theta ** ((-2 * pair) / dim);
      table[position * dim + 2 * pair] = Math.cos(angle);
      table[position * dim + 2 * pair + 1] = Math.sin(angle);
    }
  }
  return table;
}

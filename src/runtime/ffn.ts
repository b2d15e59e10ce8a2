import type { PlmConfig } from '../core/config.ts';
import { type Allocator, allocFloats } from './allocator.ts';
import { addTo, type Batch, multiply, squareRelu, type Vectors } from './operations.ts';
import type { LayerWeights } from './weights.ts';

/**
 * Ungated feed-forward network: down_proj(relu(up_proj x)^2) (Primer, arXiv 2109.08668, section 4), and the bias of
 * down_proj if it has one.
 */
export class Ffn {
  readonly #activations: Vectors;

  /** `batch` is the most tokens of one batch. */
  constructor(config: PlmConfig, batch: number, allocator: Allocator) {
    const stride = Math.max(...config.intermediateSizes);
    this.#activations = { pointer: allocFloats(allocator, batch * stride), stride };
  }

  run(batch: Batch, layer: number, weights: LayerWeights, x: Vectors, out: Vectors): void {
    multiply(batch, weights.upProj, x, this.#activations);
    squareRelu(batch, this.#activations, weights.upProj.rows);
    batch.sums?.add(batch, layer, 'activations', this.#activations);
    multiply(batch, weights.downProj, this.#activations, out);
    batch.sums?.add(batch, layer, 'ffnOutput', out);
    if (weights.downProjBias !== undefined) addTo(batch, weights.downProjBias, out, weights.downProj.rows);
  }
}

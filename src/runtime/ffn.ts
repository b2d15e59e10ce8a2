import type { PlmConfig } from '../core/config.ts';
import type { Pointer } from '../kernels/memory.ts';
import { type Allocator, allocFloats } from './allocator.ts';
import type { Batch, Vectors } from './batch.ts';
import { addTo, multiply, multiplySparse, squareRelu } from './operations.ts';
import type { LayerWeights } from './weights.ts';

/**
 * Ungated feed-forward network: down_proj(relu(up_proj x)^2) (Primer, arXiv 2109.08668, section 4), and the
 * bias of down_proj if it has one.
 */
export class Ffn {
  /** What down_proj is applied to. */
  readonly activations: Vectors;
  /** Neurons that fire, an i32 a token. */
  readonly #fired: Pointer;
  /** Rows of up_proj and columns of down_proj that tokens have met, and those of them that were read. */
  #met = 0;
  #read = 0;
  /** By layer, neurons that tokens have met and those of them that fired; undefined where nobody asks. */
  readonly #firings: readonly { met: number; fired: number }[] | undefined;

  /** `batch` is the most tokens of one batch. */
  constructor(config: PlmConfig, batch: number, countsFirings: boolean, allocator: Allocator) {
    if (countsFirings) this.#firings = config.intermediateSizes.map(() => ({ met: 0, fired: 0 }));
    const stride = Math.max(...config.intermediateSizes);
    this.activations = { pointer: allocFloats(allocator, batch * stride), stride };
    this.#fired = allocator.alloc(4 * batch);
  }

  /** Share of the weights that a token reads, averaged over all tokens so far; 1 before the first. */
  get readShare(): number {
    return this.#met === 0 ? 1 : this.#read / this.#met;
  }

  /** Share of neurons above zero, by layer, over all tokens so far; undefined where they are not counted. */
  get firing(): readonly number[] | undefined {
    return this.#firings?.map(({ met, fired }) => (met === 0 ? 0 : fired / met));
  }

  run(batch: Batch, layer: number, weights: LayerWeights, x: Vectors, out: Vectors): void {
    const { upProj, downProjBias } = weights;
    this.activate(batch, weights, x);
    batch.sums?.add(batch, 'activations', this.activations);
    this.#count(batch, layer, upProj.rows);
    const neurons = batch.tokens * upProj.rows;
    this.#met += 2 * neurons;
    this.#read += neurons + this.#project(batch, weights, out);
    batch.sums?.add(batch, 'ffnOutput', out);
    if (downProjBias !== undefined) addTo(batch, downProjBias, out, upProj.columns);
  }

  /** The first half of `run`. */
  activate(batch: Batch, { upProj }: LayerWeights, x: Vectors): void {
    multiply(batch, upProj, x, this.activations);
    squareRelu(batch, this.activations, upProj.rows);
  }

  #count({ compute, tokens }: Batch, layer: number, neurons: number): void {
    const count = this.#firings?.[layer];
    if (count === undefined) return;
    const { pointer, stride } = this.activations;
    for (let t = 0; t < tokens; t++) {
      const values = compute.floats(pointer + 4 * t * stride, neurons);
      for (let c = 0; c < neurons; c++) if (values[c]! > 0) count.fired++;
    }
    count.met += tokens * neurons;
  }

  /** Applies down_proj; returns how many of its columns all tokens have read. */
  #project(batch: Batch, { downProj }: LayerWeights, out: Vectors): number {
    if ('stored' in downProj) {
      multiply(batch, downProj.stored, this.activations, out);
      return batch.tokens * downProj.stored.columns;
    }
    multiplySparse(batch, downProj.byNeuron, this.activations, out, this.#fired);
    return batch.compute.ints(this.#fired, batch.tokens).reduce((sum, fired) => sum + fired, 0);
  }
}

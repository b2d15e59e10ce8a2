import { type PlmConfig, queryNopeDim } from '../../core/config.ts';
import { type Allocator, allocFloats } from '../allocator.ts';
import type { Batch, Vectors } from '../batch.ts';
import { from, multiply, normalize, type Rope, rotate } from '../operations.ts';
import type { LayerWeights } from '../weights.ts';

/** Rotated queries of a batch, by q_proj or through the bottleneck of q_a_proj and q_b_proj. */
export class Query {
  readonly vectors: Vectors;
  /** Output of q_a_proj, normed; of no width where q_proj is full. */
  readonly #latent: Vectors;
  readonly #config: PlmConfig;
  readonly #rope: Rope;

  /** `batch` is the most tokens of one batch. */
  constructor(config: PlmConfig, rope: Rope, batch: number, allocator: Allocator) {
    const { numAttentionHeads: heads, qLoraRank = 0 } = config;
    const headStride = queryNopeDim(config) + config.qkRopeHeadDim;
    this.#config = config;
    this.#rope = rope;
    this.#latent = { pointer: allocFloats(allocator, batch * qLoraRank), stride: qLoraRank };
    const stride = heads * headStride;
    this.vectors = { pointer: allocFloats(allocator, batch * stride), stride, headStride };
  }

  /** Of the normed inputs `x` of a layer. */
  run(batch: Batch, { query }: LayerWeights, x: Vectors): Vectors {
    // Without a head stride a projection writes the heads of a token side by side, as one vector.
    if ('qProj' in query) {
      multiply(batch, query.qProj, x, this.vectors);
    } else {
      multiply(batch, query.qAProj, x, this.#latent);
      normalize(batch, query.qALayernorm, this.#latent, this.#latent);
      multiply(batch, query.qBProj, this.#latent, this.vectors);
    }
    rotate(batch, this.#rope, from(this.vectors, queryNopeDim(this.#config)), this.#config.numAttentionHeads);
    return this.vectors;
  }
}

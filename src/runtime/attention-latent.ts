import { type PlmConfig, qkHeadDim } from '../core/config.ts';
import { type Allocator, allocFloats } from './allocator.ts';
import type { Attention, AttentionInputs, AttentionSize } from './attention.ts';
import { KvCache } from './kv-cache.ts';
import {
  attend,
  type Batch,
  copyHeads,
  from,
  multiply,
  multiplyTransposed,
  normalize,
  type Rope,
  rotate,
  type Vectors,
} from './operations.ts';
import type { LayerWeights } from './weights.ts';

/**
 * Caches [c' | k_pe], which all heads share, and moves kv_b_proj to the other side of the dot products:
 * q_nope . (W_UK c') = (W_UK^T q_nope) . c', and sum of a_s (W_UV c'_s) = W_UV (sum of a_s c'_s).
 */
export class LatentAttention implements Attention {
  readonly #config: PlmConfig;
  readonly #rope: Rope;
  readonly #cache: KvCache;
  /** Per head [W_UK^T q_nope | q_pe]. */
  readonly #q: Vectors;
  /** Per head the attended c'. */
  readonly #context: Vectors;

  constructor({ config, rope, contextLength, batch }: AttentionSize, allocator: Allocator) {
    const { numAttentionHeads: heads, numHiddenLayers: layers, kvLoraRank, qkRopeHeadDim } = config;
    const width = kvLoraRank + qkRopeHeadDim;
    const perHead = (size: number): Vectors => ({
      pointer: allocFloats(allocator, batch * heads * size),
      stride: heads * size,
      headStride: size,
    });
    this.#config = config;
    this.#rope = rope;
    this.#cache = new KvCache({ layers, positions: contextLength, width }, allocator);
    this.#q = perHead(width);
    this.#context = perHead(kvLoraRank);
  }

  run(batch: Batch, layer: number, weights: LayerWeights, { x, q }: AttentionInputs, out: Vectors): void {
    const { numAttentionHeads: heads, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim } = this.#config;
    const latent = this.#cache.vectors(layer, batch.position);
    multiply(batch, weights.kvAProj, x, latent);
    normalize(batch, weights.kvALayernorm, latent, latent);
    batch.sums?.add(batch, layer, 'latent', latent);
    rotate(batch, this.#rope, from(latent, kvLoraRank), 1);

    batch.sums?.add(batch, layer, 'query', q);
    const absorb = weights.kBTransposed ? multiply : multiplyTransposed;
    absorb(batch, weights.kB, q, this.#q);
    copyHeads(batch, from(q, qkNopeHeadDim), from(this.#q, kvLoraRank), heads, qkRopeHeadDim);

    const shared = this.#cache.vectors(layer, 0);
    attend(
      batch,
      {
        q: this.#q,
        keys: shared,
        keyDim: kvLoraRank + qkRopeHeadDim,
        values: shared,
        valueDim: kvLoraRank,
        heads,
        scale: 1 / Math.sqrt(qkHeadDim(this.#config)),
      },
      this.#context,
    );
    batch.sums?.add(batch, layer, 'context', this.#context);
    multiply(batch, weights.vB, this.#context, out);
  }
}

import { type PlmConfig, qkHeadDim } from '../../core/config.ts';
import { type Allocator, allocFloats } from '../allocator.ts';
import type { Batch, Vectors } from '../batch.ts';
import {
  type AttentionOperands,
  attend,
  copyHeads,
  from,
  multiply,
  multiplyTransposed,
  normalize,
  type Rope,
  rotate,
} from '../operations.ts';
import type { KvBWeights, LayerWeights } from '../weights.ts';
import type { Attention, AttentionInputs, AttentionSize } from './attention.ts';
import { KvCache } from './kv-cache.ts';

/**
 * Caches [c' | k_pe], which all heads share, and moves kv_b_proj to the other side of the dot products:
 * q_nope . (W_UK c') = (W_UK^T q_nope) . c', and sum of a_s (W_UV c'_s) = W_UV (sum of a_s c'_s). A
 * premultiplied model has it there already.
 */
export class LatentAttention implements Attention {
  readonly #config: PlmConfig;
  readonly #rope: Rope;
  readonly #cache: KvCache;
  /** Per head [W_UK^T q_nope | q_pe]; of no width where queries come so. */
  readonly #q: Vectors;
  /** Per head the attended c'; of no width where that is asked for. */
  readonly #context: Vectors;

  constructor({ config, rope, contextLength, cachedLayers, batch }: AttentionSize, allocator: Allocator) {
    const { numAttentionHeads, kvLoraRank, qkRopeHeadDim, kvBForm } = config;
    const width = kvLoraRank + qkRopeHeadDim;
    const heads = kvBForm === 'premultiplied' ? 0 : numAttentionHeads;
    const perHead = (size: number): Vectors => ({
      pointer: allocFloats(allocator, batch * heads * size),
      stride: heads * size,
      headStride: size,
    });
    this.#config = config;
    this.#rope = rope;
    this.#cache = new KvCache({ layers: cachedLayers, positions: contextLength, width }, allocator);
    this.#q = perHead(width);
    this.#context = perHead(kvLoraRank);
  }

  run(batch: Batch, layer: number, weights: LayerWeights, { x, q }: AttentionInputs, out: Vectors): void {
    const { kvLoraRank } = this.#config;
    const latent = this.#cache.vectors(layer, batch.position);
    multiply(batch, weights.kvAProj, x, latent);
    normalize(batch, weights.kvALayernorm, latent, latent);
    batch.sums?.add(batch, 'latent', latent);
    rotate(batch, this.#rope, from(latent, kvLoraRank), 1);

    const { kvB } = weights;
    if (kvB === undefined) {
      attend(batch, this.operands(layer, q), out);
      return;
    }
    batch.sums?.add(batch, 'query', q);
    this.#absorb(batch, kvB, q);
    attend(batch, this.operands(layer, this.#q), this.#context);
    batch.sums?.add(batch, 'context', this.#context);
    multiply(batch, kvB.vB, this.#context, out);
  }

  /** Of queries over [c' | k_pe], for the attended c'. */
  operands(layer: number, q: Vectors): AttentionOperands {
    const { numAttentionHeads: heads, kvLoraRank: valueDim, qkRopeHeadDim } = this.#config;
    const shared = this.#cache.vectors(layer, 0);
    const scale = 1 / Math.sqrt(qkHeadDim(this.#config));
    return { q, keys: shared, keyDim: valueDim + qkRopeHeadDim, values: shared, valueDim, heads, scale };
  }

  #absorb(batch: Batch, { kB, kBTransposed }: KvBWeights, q: Vectors): void {
    const { numAttentionHeads: heads, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim } = this.#config;
    const absorb = kBTransposed ? multiply : multiplyTransposed;
    absorb(batch, kB, q, this.#q);
    copyHeads(batch, from(q, qkNopeHeadDim), from(this.#q, kvLoraRank), heads, qkRopeHeadDim);
  }
}

import { type PlmConfig, qkHeadDim } from '../../core/config.ts';
import { unsupported } from '../../core/errors.ts';
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
import type { LayerWeights } from '../weights.ts';
import type { Attention, AttentionInputs, AttentionSize } from './attention.ts';
import { KvCache } from './kv-cache.ts';

/**
 * Applies kv_b_proj once per token and caches keys and values of every head.
 * @throws PressError unsupported where the model has no kv_b_proj to apply.
 */
export class ExpandedAttention implements Attention {
  readonly #config: PlmConfig;
  readonly #rope: Rope;
  readonly #keys: KvCache;
  readonly #values: KvCache;
  /** [c' | k_pe] of the batch. */
  readonly #latent: Vectors;

  constructor({ config, rope, contextLength, cachedLayers, batch }: AttentionSize, allocator: Allocator) {
    if (config.kvBForm === 'premultiplied') {
      const what = 'a premultiplied model runs in the latent form only';
      throw unsupported({ field: 'attention', what, got: 'expanded', expected: 'latent' });
    }
    const { numAttentionHeads: heads, kvLoraRank, qkRopeHeadDim } = config;
    const cache = { layers: cachedLayers, positions: contextLength };
    const stride = kvLoraRank + qkRopeHeadDim;
    this.#config = config;
    this.#rope = rope;
    this.#keys = new KvCache({ ...cache, width: heads * qkHeadDim(config) }, allocator);
    this.#values = new KvCache({ ...cache, width: heads * config.vHeadDim }, allocator);
    this.#latent = { pointer: allocFloats(allocator, batch * stride), stride };
  }

  run(batch: Batch, layer: number, weights: LayerWeights, { x, q }: AttentionInputs, out: Vectors): void {
    const { numAttentionHeads: heads, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim } = this.#config;
    const keyDim = qkHeadDim(this.#config);
    const newKeys = { ...this.#keys.vectors(layer, batch.position), headStride: keyDim };
    const newValues = { ...this.#values.vectors(layer, batch.position), headStride: vHeadDim };
    const { kB, kBTransposed, vB } = weights.kvB!;
    const latent = this.#latent;
    const keyPe = from(latent, kvLoraRank);

    multiply(batch, weights.kvAProj, x, latent);
    normalize(batch, weights.kvALayernorm, latent, latent);
    batch.sums?.add(batch, 'latent', latent);
    rotate(batch, this.#rope, keyPe, 1);
    const expand = kBTransposed ? multiplyTransposed : multiply;
    expand(batch, kB, latent, newKeys);
    copyHeads(batch, keyPe, from(newKeys, qkNopeHeadDim), heads, qkRopeHeadDim);
    multiply(batch, vB, latent, newValues);
    attend(batch, this.operands(layer, q), out);
  }

  operands(layer: number, q: Vectors): AttentionOperands {
    const { numAttentionHeads: heads, vHeadDim: valueDim } = this.#config;
    const keyDim = qkHeadDim(this.#config);
    const keys = { ...this.#keys.vectors(layer, 0), headStride: keyDim };
    const values = { ...this.#values.vectors(layer, 0), headStride: valueDim };
    return { q, keys, keyDim, values, valueDim, heads, scale: 1 / Math.sqrt(keyDim) };
  }
}

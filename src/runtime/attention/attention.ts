import { kvCacheElements, type PlmConfig } from '../../core/config.ts';
import type { Batch, Vectors } from '../batch.ts';
import type { AttentionOperands, Rope } from '../operations.ts';
import type { LayerWeights } from '../weights.ts';

/**
 * What the KV cache holds: keys and values of every head, or the normed latent and k_pe that all heads share
 * (split-absorbed, DeepSeek-V2, arXiv 2405.04434, section 2.1.2). Both compute the same function.
 */
export type AttentionForm = 'expanded' | 'latent';

export interface AttentionInputs {
  /** Normed input of the layer. */
  readonly x: Vectors;
  /**
   * Rotated queries, heads of nope + rope elements, or of kv_lora_rank + rope where W_UK^T is a factor of
   * them.
   */
  readonly q: Vectors;
}

/** Multi-head latent attention between q_proj and o_proj. Holds the KV cache of all layers. */
export interface Attention {
  /**
   * Appends the batch to the cache of `layer` and attends; writes heads of `attendedHeadDim` elements to
   * `out`.
   */
  run(batch: Batch, layer: number, weights: LayerWeights, inputs: AttentionInputs, out: Vectors): void;
  /** The cache of `layer` as queries meet it. */
  operands(layer: number, q: Vectors): AttentionOperands;
}

export interface AttentionSize {
  readonly config: PlmConfig;
  readonly rope: Rope;
  /** Positions that the cache holds. */
  readonly contextLength: number;
  /** Layers that the cache holds: all, or one at a time. */
  readonly cachedLayers: number;
  /** Most tokens of one batch. */
  readonly batch: number;
}

/** Bytes that one position takes in an f32 cache. */
export function kvBytesPerToken(config: PlmConfig, form: AttentionForm): number {
  return 4 * kvCacheElements(config, form);
}

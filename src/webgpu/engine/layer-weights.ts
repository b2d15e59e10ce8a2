import type { BundleModel } from '../manifest.ts';
import type { DeviceMatrix, DeviceWeights } from './device-weights.ts';

/** The weights of a layer on the GPU. All matrices fit into a binding. */
export interface LayerWeights {
  readonly inputNorm: GPUBuffer;
  /**
   * q_proj, or q_a_proj, and kv_a_proj, as one matrix where they are stored alike: with their places in the
   * output.
   */
  readonly inputs: readonly { readonly matrix: DeviceMatrix; readonly offset: number }[];
  /** q_b_proj with the norm before it; undefined where q_proj is a full matrix. */
  readonly queries: { readonly matrix: DeviceMatrix; readonly norm: GPUBuffer } | undefined;
  readonly latentNorm: GPUBuffer;
  readonly kvB: DeviceMatrix;
  readonly oProj: DeviceMatrix;
  readonly ffnNorm: GPUBuffer;
  readonly upProj: DeviceMatrix;
  /** By neuron. */
  readonly downProj: DeviceMatrix;
  readonly bias: GPUBuffer | undefined;
}

/** Rows of the query projection. */
export function queryRows(model: BundleModel): number {
  return model.num_attention_heads * (model.qk_nope_head_dim + model.qk_rope_head_dim);
}

/** Where [c | k_pe] lies in the projection of the normed input: behind what the queries are made of. */
export function keyOffset(model: BundleModel): number {
  return model.q_lora_rank ?? queryRows(model);
}

/** Finds room for the weights of a layer. */
export function placeLayer(weights: DeviceWeights, model: BundleModel, layer: number): LayerWeights {
  const name = (part: string) => `model.layers.${layer}.${part}`;
  const attention = (part: string) => name(`self_attn.${part}.weight`);
  const lowRank = model.q_lora_rank !== null;
  const first = attention(lowRank ? 'q_a_proj' : 'q_proj');
  const kvA = attention('kv_a_proj_with_mqa');
  return {
    inputNorm: weights.vector(name('input_layernorm.weight')),
    inputs: weights.canStack([first, kvA])
      ? [{ matrix: weights.undivided(first, kvA), offset: 0 }]
      : [
          { matrix: weights.undivided(first), offset: 0 },
          { matrix: weights.undivided(kvA), offset: keyOffset(model) },
        ],
    queries: lowRank
      ? { matrix: weights.undivided(attention('q_b_proj')), norm: weights.vector(attention('q_a_layernorm')) }
      : undefined,
    latentNorm: weights.vector(attention('kv_a_layernorm')),
    kvB: weights.undivided(attention('kv_b_proj')),
    oProj: weights.undivided(attention('o_proj')),
    ffnNorm: weights.vector(name('post_attention_layernorm.weight')),
    upProj: weights.undivided(name('mlp.up_proj.weight')),
    downProj: weights.undivided(name('mlp.down_proj.weight')),
    bias: model.ffn_bias ? weights.vector(name('mlp.down_proj.bias')) : undefined,
  };
}

import type { PlmConfig } from '../../src/core/config.ts';
import { unsupported } from '../../src/core/errors.ts';
import { PRESETS } from '../../src/passes/presets.ts';
import type { BundleModel } from '../../src/webgpu/manifest.ts';

/** Passes of the preset of bundles that a model still needs, by name. */
export function bundlePasses({ config }: { readonly config: PlmConfig }): string[] {
  const needs = { 'join-kv-b': config.kvBForm === 'split' };
  return PRESETS.webgpu.filter((name) => needs[name]);
}

/**
 * @throws PressError unsupported for models whose kv_b_proj a pass has taken apart: the runtime absorbs it by
 * itself.
 */
export function assertHolds({ kvBForm }: PlmConfig): void {
  if (kvBForm === undefined) return;
  const what = `a WebGPU bundle stores kv_b_proj as checkpoints do, but this model is ${kvBForm}`;
  const expected = kvBForm === 'split' ? 'the pass join-kv-b first' : 'a source without absorb-mla';
  throw unsupported({ what, expected });
}

/** Geometry in the terms of manifests. */
export function bundleModel(config: PlmConfig): BundleModel {
  return {
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    num_attention_heads: config.numAttentionHeads,
    intermediate_sizes: config.intermediateSizes,
    kv_lora_rank: config.kvLoraRank,
    q_lora_rank: config.qLoraRank ?? null,
    qk_nope_head_dim: config.qkNopeHeadDim,
    qk_rope_head_dim: config.qkRopeHeadDim,
    v_head_dim: config.vHeadDim,
    rms_norm_eps: config.rmsNormEps,
    rope_theta: config.ropeTheta,
    rope_interleave: config.ropeInterleave,
    max_position_embeddings: config.maxPositionEmbeddings,
    tie_word_embeddings: config.tieWordEmbeddings,
    ffn_bias: config.ffnBias ?? false,
  };
}

/** The inverse of `bundleModel`. */
export function plmConfig(model: BundleModel): PlmConfig {
  return {
    vocabSize: model.vocab_size,
    hiddenSize: model.hidden_size,
    numHiddenLayers: model.intermediate_sizes.length,
    numAttentionHeads: model.num_attention_heads,
    intermediateSizes: model.intermediate_sizes,
    kvLoraRank: model.kv_lora_rank,
    qLoraRank: model.q_lora_rank ?? undefined,
    qkNopeHeadDim: model.qk_nope_head_dim,
    qkRopeHeadDim: model.qk_rope_head_dim,
    vHeadDim: model.v_head_dim,
    rmsNormEps: model.rms_norm_eps,
    ropeTheta: model.rope_theta,
    ropeInterleave: model.rope_interleave,
    maxPositionEmbeddings: model.max_position_embeddings,
    tieWordEmbeddings: model.tie_word_embeddings,
    ...(model.ffn_bias && { ffnBias: true }),
  };
}

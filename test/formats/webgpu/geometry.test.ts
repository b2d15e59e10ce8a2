import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bundleModel, plmConfig } from '../../../formats/webgpu/geometry.ts';
import { memoryOf } from '../../../formats/webgpu/requirements.ts';
import type { PlmConfig } from '../../../src/core/config.ts';

const CONFIG: PlmConfig = {
  vocabSize: 11,
  hiddenSize: 12,
  numHiddenLayers: 2,
  numAttentionHeads: 3,
  intermediateSizes: [13, 14],
  kvLoraRank: 15,
  qLoraRank: 16,
  qkNopeHeadDim: 17,
  qkRopeHeadDim: 18,
  vHeadDim: 19,
  rmsNormEps: 0.25,
  ropeTheta: 500,
  ropeInterleave: true,
  maxPositionEmbeddings: 512,
  tieWordEmbeddings: true,
  ffnBias: true,
};

describe('the geometry of a bundle', () => {
  it('has every field of that of a model, and goes back', () => {
    const model = bundleModel(CONFIG);
    assert.deepEqual(model, {
      vocab_size: 11,
      hidden_size: 12,
      num_attention_heads: 3,
      intermediate_sizes: [13, 14],
      kv_lora_rank: 15,
      q_lora_rank: 16,
      qk_nope_head_dim: 17,
      qk_rope_head_dim: 18,
      v_head_dim: 19,
      rms_norm_eps: 0.25,
      rope_theta: 500,
      rope_interleave: true,
      max_position_embeddings: 512,
      tie_word_embeddings: true,
      ffn_bias: true,
    });
    assert.deepEqual(plmConfig(model), CONFIG);
    const { ffnBias: _, ...plain } = CONFIG;
    const changed: PlmConfig = {
      ...plain,
      qLoraRank: undefined,
      ropeInterleave: false,
      tieWordEmbeddings: false,
    };
    assert.deepEqual(plmConfig(bundleModel(changed)), changed);
  });

  it('tells the memory of weights and of a latent cache, up to the context of the model', () => {
    const planes = [
      { scheme: 'q4', rows: 3, columns: 64 },
      { scheme: 'f16', rows: 5, columns: 10 },
    ] as const;
    // Codes of 4 bits, and an f16 for each 32 of them; rows of f16 are padded to 32 columns.
    const weights = 3 * (32 + 2 * 2) + 5 * 64;
    // Two layers of 15 + 18 values in f16.
    const token = 2 * (15 + 18) * 2;
    assert.deepEqual(memoryOf(CONFIG, planes), [
      { context: 256, bytes: weights + 256 * token },
      { context: 512, bytes: weights + 512 * token },
    ]);
  });
});

import { KV_B_FORMS, type KvBForm, type PlmConfig } from '../../../src/core/config.ts';
import { parseJson } from '../../../src/core/json/json.ts';
import type { JsonField } from '../../../src/core/json/json-field.ts';
import type { Model } from '../../../src/core/model.ts';
import { type HfConfig, parseConfig } from '../../hf/config.ts';
import { type Json, jsonText } from './json-text.ts';
import { tokenIdFields } from './token-ids.ts';

/** Class of the published modeling code. */
export const PLM_ARCHITECTURE = 'PLMForCausalLM';

/** Key of what no config.json of a PLM has a place for. */
const OWN_KEY = 'plmpress';

/**
 * A config.json of a PLM with the geometry that `model` has now, passes included. Layers of different widths
 * make `intermediate_size` an array, as the importer of Hugging Face folders reads it.
 */
export function plmConfigText(model: Pick<Model, 'config' | 'tokenizer'>): string {
  const { kvBForm, ffnBias } = model.config;
  return jsonText({
    architectures: [PLM_ARCHITECTURE],
    model_type: 'plm',
    ...geometryFields(model.config),
    ...tokenIdFields(model.tokenizer),
    ...((kvBForm ?? ffnBias) && { [OWN_KEY]: { kv_b_form: kvBForm, ffn_bias: ffnBias } }),
  });
}

/** Geometry in the terms of config.json, in the order of the published one. */
export function geometryFields(config: PlmConfig): { readonly [key: string]: Json } {
  const widths = new Set(config.intermediateSizes);
  return {
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: widths.size === 1 ? config.intermediateSizes[0]! : config.intermediateSizes,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    num_key_value_heads: config.numAttentionHeads,
    kv_lora_rank: config.kvLoraRank,
    q_lora_rank: config.qLoraRank ?? null,
    qk_nope_head_dim: config.qkNopeHeadDim,
    qk_rope_head_dim: config.qkRopeHeadDim,
    v_head_dim: config.vHeadDim,
    hidden_act: 'relu2',
    max_position_embeddings: config.maxPositionEmbeddings,
    rms_norm_eps: config.rmsNormEps,
    tie_word_embeddings: config.tieWordEmbeddings,
    rope_theta: config.ropeTheta,
    rope_scaling: null,
    rope_interleave: config.ropeInterleave,
    attention_bias: false,
  };
}

/** Reads what `plmConfigText` has written; throws like `parseConfig`. */
export function readPlmConfig(text: string, file: string): HfConfig {
  const config = parseConfig(text, file);
  const own = parseJson(text, file).at(OWN_KEY).optional();
  const kvBForm = own?.at('kv_b_form').optional();
  const ffnBias = own?.at('ffn_bias').optional()?.boolean() ?? false;
  return {
    ...config,
    plm: {
      ...config.plm,
      ...(kvBForm !== undefined && { kvBForm: readKvBForm(kvBForm) }),
      ...(ffnBias && { ffnBias }),
    },
  };
}

function readKvBForm(field: JsonField): KvBForm {
  const form = KV_B_FORMS.find((known) => known === field.value);
  if (form === undefined) throw field.unexpected(KV_B_FORMS.join(' or '));
  return form;
}

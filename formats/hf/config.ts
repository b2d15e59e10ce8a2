import type { PlmConfig } from '../../src/core/config.ts';
import { type PressError, unsupported } from '../../src/core/errors.ts';
import { parseJson } from '../../src/core/json.ts';
import type { JsonField } from '../../src/core/json-field.ts';

/**
 * Widest vector of a layer. A hundred times that of PLM-1.8B, and small enough that the elements of a matrix of
 * heads x width by width stay below 2^53.
 */
export const MAX_WIDTH = 2 ** 18;
export const MAX_HEADS = 2 ** 10;
/** LLAMA_MAX_LAYERS of llama.cpp. */
export const MAX_LAYERS = 512;
/** A hundred times the largest vocabularies. */
export const MAX_VOCABULARY = 2 ** 24;
/** A thousand times the longest contexts; RoPE tables and caches are sized by what is used, not by this. */
export const MAX_POSITIONS = 2 ** 30;

/** Models have one to three tokens that end a generation. */
export const MAX_END_TOKENS = 1024;

/** config.json as a conversion sees it. */
export interface HfConfig {
  readonly plm: PlmConfig;
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
  readonly padTokenId: number | undefined;
  readonly notes: readonly string[];
}

/**
 * Reads config.json field by field; missing optional fields have the defaults of the published PLMConfig.
 * Unknown keys are ignored. Throws `unsupported` for valid models that are not a PLM this version converts.
 */
export function parseConfig(text: string, file: string): HfConfig {
  const config = parseJson(text, file);
  assertPlm(config);
  assertNothingUnsupported(config);
  const width = (key: string) => config.at(key).integer(1, MAX_WIDTH);
  const numHiddenLayers = config.at('num_hidden_layers').integer(1, MAX_LAYERS);
  const numAttentionHeads = config.at('num_attention_heads').integer(1, MAX_HEADS);
  assertOneKvHeadPerHead(config, numAttentionHeads);
  const plm: PlmConfig = {
    vocabSize: config.at('vocab_size').integer(1, MAX_VOCABULARY),
    hiddenSize: width('hidden_size'),
    numHiddenLayers,
    numAttentionHeads,
    intermediateSizes: intermediateSizes(config.at('intermediate_size'), numHiddenLayers),
    kvLoraRank: width('kv_lora_rank'),
    qLoraRank: config.at('q_lora_rank').optional()?.integer(1, MAX_WIDTH),
    qkNopeHeadDim: width('qk_nope_head_dim'),
    qkRopeHeadDim: even(config.at('qk_rope_head_dim')),
    vHeadDim: width('v_head_dim'),
    rmsNormEps: positive(config.at('rms_norm_eps').optional()) ?? 1e-6,
    ropeTheta: ropeTheta(config),
    ropeInterleave: config.at('rope_interleave').optional()?.boolean() ?? true,
    maxPositionEmbeddings: config.at('max_position_embeddings').optional()?.integer(1, MAX_POSITIONS) ?? 4096,
    tieWordEmbeddings: config.at('tie_word_embeddings').optional()?.boolean() ?? true,
  };
  return {
    plm,
    bosTokenId: config.at('bos_token_id').optional()?.integer(0),
    eosTokenIds: tokenIds(config.at('eos_token_id')),
    padTokenId: config.at('pad_token_id').optional()?.integer(0),
    notes: IGNORED_CODE.filter((key) => config.at(key).optional() !== undefined).map(
      (key) => `${file}: ${key} ignored, no code of a model is run`,
    ),
  };
}

/** Fields that name code. Loaders of other projects have run it (CVE-2026-4372). */
const IGNORED_CODE = ['auto_map', '_attn_implementation_internal'];

/** Ids of a field that holds one id, several, or none. */
export function tokenIds(field: JsonField): readonly number[] {
  if (field.optional() === undefined) return [];
  const ids = Array.isArray(field.value) ? field.items(MAX_END_TOKENS) : [field];
  return ids.map((id) => id.integer(0));
}

function assertPlm(config: JsonField): void {
  const modelType = config.at('model_type');
  if (modelType.optional() !== undefined) {
    if (modelType.string() !== 'plm') throw notSupported(modelType, 'plm');
    return;
  }
  const architectures = config.at('architectures');
  if (architectures.optional() === undefined) throw notSupported(modelType, 'plm');
  if (!architectures.array().includes('PLMForCausalLM')) throw notSupported(architectures, 'PLMForCausalLM');
}

function assertNothingUnsupported(config: JsonField): void {
  const quantization = config.at('quantization_config');
  if (quantization.optional() !== undefined) {
    const { file, field } = quantization;
    const expected = 'F32, F16 or BF16 weights';
    throw unsupported({ file, field, what: 'the weights are quantized already', expected });
  }
  const activation = config.at('hidden_act').optional();
  if (activation !== undefined && activation.string() !== 'relu2') throw notSupported(activation, 'relu2');
  for (const key of ['attention_bias', 'mlp_bias']) {
    const bias = config.at(key).optional();
    if (bias?.boolean()) throw notSupported(bias, 'false');
  }
  for (const key of ['rope_scaling', 'rope_parameters']) {
    const rope = config.at(key).optional();
    if (rope === undefined) continue;
    const type = rope.at('rope_type').optional() ?? rope.at('type');
    if (type.value !== 'default') throw notSupported(type, 'default');
  }
}

function assertOneKvHeadPerHead(config: JsonField, heads: number): void {
  const kvHeads = config.at('num_key_value_heads').optional();
  if (kvHeads === undefined) return;
  if (kvHeads.integer(1, MAX_HEADS) !== heads) throw notSupported(kvHeads, `${heads}, one for each head`);
}

function intermediateSizes(field: JsonField, layers: number): readonly number[] {
  if (!Array.isArray(field.value)) return Array<number>(layers).fill(field.integer(1, MAX_WIDTH));
  const sizes = field.items(MAX_LAYERS).map((size) => size.integer(1, MAX_WIDTH));
  if (sizes.length !== layers) throw field.unexpected(`one width for each of ${layers} layers`);
  return sizes;
}

/** Transformers 4 writes `rope_theta` beside the others, Transformers 5 inside `rope_parameters`. */
function ropeTheta(config: JsonField): number {
  const outer = positive(config.at('rope_theta').optional());
  const field = config.at('rope_parameters').optional()?.at('rope_theta').optional();
  const inner = positive(field);
  if (outer !== undefined && inner !== undefined && outer !== inner) {
    throw field!.unexpected(`${outer}, as rope_theta says`);
  }
  return outer ?? inner ?? 100_000;
}

/** An even width. */
export function even(field: JsonField): number {
  const value = field.integer(1, MAX_WIDTH);
  if (value % 2 !== 0) throw field.unexpected('an even number');
  return value;
}

/** A number above 0, where there is a field. */
export function positive(field: JsonField | undefined): number | undefined {
  if (field !== undefined && field.number() <= 0) throw field.unexpected('a positive number');
  return field?.number();
}

/** The error for a value that some other model may have. */
function notSupported(field: JsonField, expected: string): PressError {
  return unsupported({
    file: field.file,
    field: field.field,
    what: 'not supported',
    got: field.value,
    expected,
  });
}

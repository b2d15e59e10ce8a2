import type { PlmConfig } from '../../src/core/config.ts';
import { type PressError, unsupported } from '../../src/core/errors.ts';
import {
  evenWidth,
  headCount,
  MAX_END_TOKENS,
  MAX_LAYERS,
  positionCount,
  positive,
  vocabularySize,
  width,
} from '../../src/core/geometry-members.ts';
import { parseJson } from '../../src/core/json/json.ts';
import type { JsonField } from '../../src/core/json/json-field.ts';
import { optional } from '../../src/core/json/schema.ts';
import { readRope } from './rope-parameters.ts';

/** Of the published PLMConfig. */
const DEFAULT_POSITIONS = 4096;

/** config.json as a conversion sees it. */
export interface HfConfig {
  /** Where the file does not say whether the head is tied, it counts as tied. */
  readonly plm: PlmConfig;
  /** Whether the head is tied; undefined where the file does not say so. */
  readonly tied: boolean | undefined;
  /** Fields that say how weights are quantized. They may outlast the quantization, so the weights decide. */
  readonly quantization: readonly JsonField[];
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
  const config = parseJson(text, file, { nonFinite: true });
  assertPlm(config);
  assertNothingUnsupported(config);
  const numHiddenLayers = config.at('num_hidden_layers').integer(1, MAX_LAYERS);
  const numAttentionHeads = headCount(config.at('num_attention_heads'));
  assertOneKvHeadPerHead(config, numAttentionHeads);
  const rope = readRope(config);
  const tied = config.at('tie_word_embeddings').optional()?.boolean();
  const plm: PlmConfig = {
    vocabSize: vocabularySize(config.at('vocab_size')),
    hiddenSize: width(config.at('hidden_size')),
    numHiddenLayers,
    numAttentionHeads,
    intermediateSizes: intermediateSizes(config.at('intermediate_size'), numHiddenLayers),
    kvLoraRank: width(config.at('kv_lora_rank')),
    qLoraRank: optional(width)(config.at('q_lora_rank')),
    qkNopeHeadDim: width(config.at('qk_nope_head_dim')),
    qkRopeHeadDim: evenWidth(config.at('qk_rope_head_dim')),
    vHeadDim: width(config.at('v_head_dim')),
    rmsNormEps: optional(positive)(config.at('rms_norm_eps')) ?? 1e-6,
    ropeTheta: rope.theta,
    ropeInterleave: config.at('rope_interleave').optional()?.boolean() ?? true,
    maxPositionEmbeddings: optional(positionCount)(config.at('max_position_embeddings')) ?? DEFAULT_POSITIONS,
    tieWordEmbeddings: tied ?? true,
  };
  assertQueryWidth(config, plm);
  return {
    plm,
    tied,
    quantization: QUANTIZATION_FIELDS.flatMap((key) => config.at(key).optional() ?? []),
    bosTokenId: config.at('bos_token_id').optional()?.integer(0),
    eosTokenIds: tokenIds(config.at('eos_token_id')),
    padTokenId: padTokenId(config.at('pad_token_id')),
    notes: [
      ...IGNORED_CODE.filter((key) => config.at(key).optional() !== undefined).map(
        (key) => `${file}: ${key} ignored, no code of a model is run`,
      ),
      ...rope.notes,
    ],
  };
}

/** Where Transformers, MLX and older versions of compressed-tensors say how weights are quantized. */
export const QUANTIZATION_FIELDS: readonly string[] = [
  'quantization_config',
  'quantization',
  'compression_config',
];

/** Fields that name code. Loaders of other projects have run it (CVE-2026-4372). */
const IGNORED_CODE = ['auto_map', '_attn_implementation_internal'];

/** Ids of a field that holds one id, several, or none. */
export function tokenIds(field: JsonField): readonly number[] {
  if (field.optional() === undefined) return [];
  const ids = Array.isArray(field.value) ? field.items(MAX_END_TOKENS) : [field];
  return ids.map((id) => id.integer(0));
}

/** -1 means no token, as in Llama's first configurations. */
function padTokenId(field: JsonField): number | undefined {
  const id = field.optional()?.integer(-1);
  return id === -1 ? undefined : id;
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
  const activation = config.at('hidden_act').optional();
  if (activation !== undefined && activation.string() !== 'relu2') throw notSupported(activation, 'relu2');
  for (const key of ['attention_bias', 'mlp_bias']) {
    const bias = config.at(key).optional();
    if (bias?.boolean()) throw notSupported(bias, 'false');
  }
  assertFullAttention(config);
}

/** Transformers caches only a window of positions where these fields ask for one. */
function assertFullAttention(config: JsonField): void {
  const use = config.at('use_sliding_window').optional();
  const window = config.at('sliding_window').optional();
  const positions = config.at('max_position_embeddings').optional()?.number() ?? DEFAULT_POSITIONS;
  // Files that derive from Qwen2's name a window that is off, or that holds every position.
  const isIdle = window === undefined || use?.value === false || window.number() >= positions;
  if (!isIdle) throw notSupported(window, 'null: a PLM attends to every position');
  const kinds = config.at('layer_types').optional();
  const other = kinds?.items(MAX_LAYERS).find(({ value }) => value !== 'full_attention');
  if (other !== undefined) throw notSupported(other, 'full_attention');
}

/** Saved configurations repeat the width of a query head, which follows from two others. */
function assertQueryWidth(config: JsonField, { qkNopeHeadDim, qkRopeHeadDim }: PlmConfig): void {
  const width = config.at('qk_head_dim').optional();
  const expected = qkNopeHeadDim + qkRopeHeadDim;
  if (width !== undefined && width.value !== expected) {
    throw width.unexpected(`${expected}, the sum of qk_nope_head_dim and qk_rope_head_dim`);
  }
}

function assertOneKvHeadPerHead(config: JsonField, heads: number): void {
  const kvHeads = config.at('num_key_value_heads').optional();
  if (kvHeads === undefined) return;
  if (headCount(kvHeads) !== heads) throw notSupported(kvHeads, `${heads}, one for each head`);
}

function intermediateSizes(field: JsonField, layers: number): readonly number[] {
  if (!Array.isArray(field.value)) return Array<number>(layers).fill(width(field));
  const sizes = field.items(MAX_LAYERS).map(width);
  if (sizes.length !== layers) throw field.unexpected(`one width for each of ${layers} layers`);
  return sizes;
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

import { type PlmConfig, qkHeadDim } from '../../src/core/config.ts';
import { invalidInput } from '../../src/core/errors.ts';
import { type HubOrigin, repositoryUrl } from '../../src/core/hub-origin.ts';
import type { Imatrix } from '../../src/core/imatrix.ts';
import type { GenerationConfig, Model, ModelCard } from '../../src/core/model.ts';
import { originOf, type Statistics } from '../../src/core/statistics.ts';
import { elementCount } from '../../src/core/tensor.ts';
import type { Quality } from '../../src/passes/rounding/calibrated-rounding.ts';
import type { GgufArchitecture } from './architecture.ts';
import type { GgufValue } from './container/types.ts';
import type { KeyValue } from './container/writer.ts';
import type { Recipe } from './recipes.ts';
import { BETA, BETA_KEY } from './swiglu.ts';
import { tokenizerKeys } from './tokenizer.ts';

/** Version of the block formats, GGML_QNT_VERSION. */
const QUANTIZATION_VERSION = 2;

export interface MetadataOptions {
  readonly arch: GgufArchitecture;
  readonly recipe: Recipe;
  readonly imatrix: Imatrix | undefined;
  readonly quality: Quality;
  /** Of plmpress; told beside the model's origin. */
  readonly version: string | undefined;
}

/** Keys of our own: how weights were rounded, and the text whose statistics this went by, with its SHA-256. */
export const QUALITY_KEY = 'plmpress.quality';
const STATISTICS_KEY = 'plmpress.statistics';
const COMMIT_KEY = 'plmpress.source.commit';
const VERSION_KEY = 'plmpress.version';

/**
 * Keys and values of a PLM in the order and with the types of llama.cpp's converter
 * (convert_hf_to_gguf.py, conversion/plm.py and conversion/deepseek.py). What is unknown is left out.
 */
export function modelMetadata(model: Model, options: MetadataOptions): KeyValue[] {
  const { arch, recipe, imatrix, quality, version } = options;
  const configKeys = arch === 'plm' ? plmKeys : deepseek2Keys;
  return [
    ['general.architecture', string(arch)],
    ['general.type', string('model')],
    ...samplingKeys(model.generation),
    ['general.name', string(model.name)],
    ['general.size_label', string(sizeLabel(model))],
    ...(model.origin === undefined ? [] : originKeys(model.origin, version)),
    ...cardKeys(model.card),
    ...configKeys(model.config, recipe.fileType),
    ...tokenizerKeys(model.tokenizer, model.config.vocabSize),
    ...(imatrix === undefined ? [] : imatrixKeys(imatrix)),
    ...(quality === 'fast' ? [] : qualityKeys(quality, model.statistics)),
  ];
}

/** The repository as llama.cpp's converter names it; its commit and who converted it are keys of our own. */
function originKeys(origin: HubOrigin, version: string | undefined): KeyValue[] {
  return [
    ['general.source.repo_url', string(repositoryUrl(origin))],
    [COMMIT_KEY, string(origin.revision)],
    ...optional(VERSION_KEY, 'string', version),
  ];
}

function qualityKeys(quality: Quality, statistics: Statistics | undefined): KeyValue[] {
  const origin = statistics && originOf(statistics);
  return [[QUALITY_KEY, string(quality)], ...optional(STATISTICS_KEY, 'string', origin)];
}

/** The keys that llama-quantize adds, but with names of files in place of paths. */
function imatrixKeys({ name, datasets, entries, chunks = 0 }: Imatrix): KeyValue[] {
  return [
    ['quantize.imatrix.file', string(name)],
    ...optional('quantize.imatrix.dataset', 'string', datasets[0]),
    ['quantize.imatrix.entries_count', { type: 'u32', value: entries.size }],
    ...optional('quantize.imatrix.chunks_count', 'u32', chunks > 0 ? chunks : undefined),
  ];
}

function samplingKeys(generation: GenerationConfig): KeyValue[] {
  // A top-k beyond int32 keeps every token, as any number above the vocabulary size does.
  const topK = generation.topK === undefined ? undefined : Math.min(generation.topK, 2 ** 31 - 1);
  return [
    ...optional('general.sampling.top_k', 'i32', topK),
    ...optional('general.sampling.top_p', 'f32', generation.topP),
    ...optional('general.sampling.min_p', 'f32', generation.minP),
    ...optional('general.sampling.temp', 'f32', generation.temperature),
    ...optional('general.sampling.penalty_repeat', 'f32', generation.repetitionPenalty),
  ];
}

function cardKeys(card: ModelCard): KeyValue[] {
  return [
    ...optional('general.license', 'string', card.license),
    ...optional('general.license.name', 'string', card.licenseName),
    ...optional('general.license.link', 'string', card.licenseLink),
    ...sourceKeys('base_model', card.baseModels),
    ...sourceKeys('dataset', card.datasets),
    ...strings('general.tags', card.tags),
    ...strings('general.languages', card.languages),
  ];
}

/** Base models and data sets: Hub ids `organization/name`, names alone, or addresses. */
function sourceKeys(kind: 'base_model' | 'dataset', ids: readonly string[] | undefined): KeyValue[] {
  if (ids === undefined || ids.length === 0) return [];
  const keys: KeyValue[] = [[`general.${kind}.count`, { type: 'u32', value: ids.length }]];
  for (const [index, id] of ids.entries()) {
    const slash = id.indexOf('/');
    const prefix = `general.${kind}.${index}`;
    if (/^https?:/.test(id)) {
      keys.push([`${prefix}.repo_url`, string(id)]);
      continue;
    }
    keys.push([`${prefix}.name`, string(id.slice(slash + 1))]);
    if (slash > 0) keys.push([`${prefix}.organization`, string(id.slice(0, slash))]);
  }
  return keys;
}

function plmKeys(config: PlmConfig, fileType: number): KeyValue[] {
  return [
    ...commonKeys('plm', config, fileType),
    u32('plm.vocab_size', config.vocabSize),
    u32('plm.attention.kv_lora_rank', config.kvLoraRank),
    u32('plm.attention.key_length', qkHeadDim(config)),
    u32('plm.attention.value_length', config.vHeadDim),
    u32('plm.rope.dimension_count', config.qkRopeHeadDim),
    u32('general.quantization_version', QUANTIZATION_VERSION),
  ];
}

/**
 * To llama.cpp, what is cached is one key head and one value head. No layer has experts, but their keys are
 * required.
 */
function deepseek2Keys(config: PlmConfig, fileType: number): KeyValue[] {
  const { kvLoraRank, qkRopeHeadDim } = config;
  return [
    ...commonKeys('deepseek2', config, fileType),
    u32('deepseek2.leading_dense_block_count', config.numHiddenLayers),
    u32('deepseek2.vocab_size', config.vocabSize),
    u32('deepseek2.attention.q_lora_rank', 0),
    u32('deepseek2.attention.kv_lora_rank', kvLoraRank),
    u32('deepseek2.attention.key_length', kvLoraRank + qkRopeHeadDim),
    u32('deepseek2.attention.value_length', kvLoraRank),
    u32('deepseek2.attention.key_length_mla', qkHeadDim(config)),
    u32('deepseek2.attention.value_length_mla', config.vHeadDim),
    u32('deepseek2.expert_feed_forward_length', config.intermediateSizes[0]!),
    u32('deepseek2.expert_shared_count', 0),
    u32('deepseek2.rope.dimension_count', qkRopeHeadDim),
    u32('general.quantization_version', QUANTIZATION_VERSION),
    u32(BETA_KEY, BETA),
  ];
}

function commonKeys(arch: GgufArchitecture, config: PlmConfig, fileType: number): KeyValue[] {
  const f32 = (key: string, value: number): KeyValue => {
    const stored = Math.fround(value);
    if (stored > 0 && stored < Infinity) return [key, { type: 'f32', value }];
    throw invalidInput({ field: key, what: 'out of the range of f32', got: value });
  };
  return [
    u32(`${arch}.block_count`, config.numHiddenLayers),
    u32(`${arch}.context_length`, config.maxPositionEmbeddings),
    u32(`${arch}.embedding_length`, config.hiddenSize),
    u32(`${arch}.feed_forward_length`, config.intermediateSizes[0]!),
    u32(`${arch}.attention.head_count`, config.numAttentionHeads),
    u32(`${arch}.attention.head_count_kv`, arch === 'plm' ? config.numAttentionHeads : 1),
    f32(`${arch}.rope.freq_base`, config.ropeTheta),
    f32(`${arch}.attention.layer_norm_rms_epsilon`, config.rmsNormEps),
    u32('general.file_type', fileType),
  ];
}

/** Parameters in the unit that keeps at least two digits: `1.8B`, `47M` (gguf-py, size_label). */
function sizeLabel(model: Model): string {
  const parameters = [...model.tensors.values()].reduce((sum, tensor) => sum + elementCount(tensor), 0);
  const [unit, suffix] =
    parameters > 1e12
      ? [1e12, 'T']
      : parameters > 1e9
        ? [1e9, 'B']
        : parameters > 1e6
          ? [1e6, 'M']
          : [1e3, 'K'];
  const scaled = parameters / unit;
  return `${scaled.toFixed(Math.round(scaled) < 10 ? 1 : 0)}${suffix}`;
}

function string(value: string): GgufValue {
  return { type: 'string', value };
}

function u32(key: string, value: number): KeyValue {
  return [key, { type: 'u32', value }];
}

function optional(
  key: string,
  type: 'i32' | 'u32' | 'f32' | 'string',
  value: number | string | undefined,
): KeyValue[] {
  return value === undefined ? [] : [[key, { type, value } as GgufValue]];
}

function strings(key: string, value: readonly string[] | undefined): KeyValue[] {
  if (value === undefined || value.length === 0) return [];
  return [[key, { type: 'array', items: 'string', value }]];
}

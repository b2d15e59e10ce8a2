import type { PlmConfig } from '../../src/core/config.ts';
import { isPowerOfTwo } from '../../src/core/elementary/binary-exponent.ts';
import { type PressError, unsupported } from '../../src/core/errors.ts';
import { holdsLocalPath } from '../../src/core/local-path.ts';
import type { GenerationConfig, ModelCard } from '../../src/core/model.ts';
import { GGUF_ARCHITECTURES, type GgufArchitecture } from './architecture.ts';
import type { Fields } from './fields.ts';
import { BETA_KEY } from './swiglu.ts';

/** LLAMA_MAX_LAYERS of llama.cpp. */
const MAX_LAYERS = 512;
/** llama.cpp's theta where a file has none. */
const DEFAULT_ROPE_THETA = 10_000;
/** Beyond, f32 loses what beta divides. */
const MAX_BETA = 2 ** 10;

/** The architecture of a language model. Refuses others. */
export function readArchitecture(fields: Fields): GgufArchitecture {
  const type = fields.optional('general.type', 'string') ?? 'model';
  if (type !== 'model') throw notSupported(fields, 'general.type', type, 'model');
  const name = fields.required('general.architecture', 'string');
  const arch = GGUF_ARCHITECTURES.find((known) => known === name);
  if (arch === undefined) {
    throw notSupported(fields, 'general.architecture', name, GGUF_ARCHITECTURES.join(' or '));
  }
  return arch;
}

/** Geometry from the keys of `arch`. Sizes are checked against the tensors by the importer. */
export function readConfig(fields: Fields, arch: GgufArchitecture): PlmConfig {
  const numHiddenLayers = fields.count(`${arch}.block_count`);
  if (numHiddenLayers > MAX_LAYERS) {
    throw notSupported(fields, `${arch}.block_count`, numHiddenLayers, `at most ${MAX_LAYERS}`);
  }
  if (arch === 'deepseek2') assertPlmInDeepseek2(fields, numHiddenLayers);
  const numAttentionHeads = headCount(fields, `${arch}.attention.head_count`);
  const cachedHeads = arch === 'plm' ? numAttentionHeads : 1;
  const keyHeads = headCount(fields, `${arch}.attention.head_count_kv`);
  if (keyHeads !== cachedHeads) {
    throw notSupported(fields, `${arch}.attention.head_count_kv`, keyHeads, String(cachedHeads));
  }
  assertPlainRope(fields, arch);
  const qkRopeHeadDim = fields.count(`${arch}.rope.dimension_count`);
  if (qkRopeHeadDim % 2 !== 0) {
    const found = { got: qkRopeHeadDim, expected: 'an even number' };
    throw fields.error(`${arch}.rope.dimension_count`, 'odd', found);
  }
  // In deepseek2 the plain keys are the sizes of what is cached.
  const ofHead = arch === 'plm' ? '' : '_mla';
  const theta = `${arch}.rope.freq_base`;
  return {
    vocabSize: fields.count(`${arch}.vocab_size`),
    hiddenSize: fields.count(`${arch}.embedding_length`),
    numHiddenLayers,
    numAttentionHeads,
    intermediateSizes: ffnWidths(fields, arch, numHiddenLayers),
    kvLoraRank: fields.count(`${arch}.attention.kv_lora_rank`),
    qLoraRank: undefined,
    qkNopeHeadDim: fields.count(`${arch}.attention.key_length${ofHead}`, qkRopeHeadDim + 1) - qkRopeHeadDim,
    qkRopeHeadDim,
    vHeadDim: fields.count(`${arch}.attention.value_length${ofHead}`),
    rmsNormEps: positive(fields, `${arch}.attention.layer_norm_rms_epsilon`),
    ropeTheta: fields.has(theta) ? positive(fields, theta) : DEFAULT_ROPE_THETA,
    ropeInterleave: true,
    maxPositionEmbeddings: fields.count(`${arch}.context_length`),
    tieWordEmbeddings: true,
    ...(arch === 'deepseek2' && { kvBForm: 'split' }),
  };
}

/** Refuses models of arch deepseek2 that are no PLM. */
function assertPlmInDeepseek2(fields: Fields, layers: number): void {
  const required = (key: string, got: unknown, expected: string) => {
    if (String(got) !== expected) throw notSupported(fields, key, got ?? 'nothing', expected);
  };
  const experts = 'deepseek2.expert_count';
  required(experts, fields.optional(experts, 'u32') ?? 0, '0');
  const rank = 'deepseek2.attention.q_lora_rank';
  required(rank, fields.optional(rank, 'u32') ?? 0, '0');
  const dense = 'deepseek2.leading_dense_block_count';
  required(dense, fields.optional(dense, 'u32'), String(layers));
  if (!fields.has(BETA_KEY)) throw notSupported(fields, BETA_KEY, 'nothing', 'a PLM that plmpress wrote');
}

/** Beta of swiglu.ts. */
export function readBeta(fields: Fields): number {
  const beta = fields.count(BETA_KEY);
  if (!isPowerOfTwo(beta) || beta > MAX_BETA) {
    throw fields.error(BETA_KEY, 'out of range', { got: beta, expected: `a power of two up to ${MAX_BETA}` });
  }
  return beta;
}

function headCount(fields: Fields, key: string): number {
  if (fields.isList(key)) throw notSupported(fields, key, 'an array', 'one count for all layers');
  return fields.count(key);
}

function ffnWidths(fields: Fields, arch: GgufArchitecture, layers: number): readonly number[] {
  const key = `${arch}.feed_forward_length`;
  if (!fields.isList(key)) return Array<number>(layers).fill(fields.count(key));
  const widths = fields.list(key, 'u32');
  if (widths.length !== layers || widths.includes(0)) {
    throw fields.error(key, 'widths', { got: widths.length, expected: `${layers}, none of them 0` });
  }
  return widths;
}

function assertPlainRope(fields: Fields, arch: GgufArchitecture): void {
  const key = `${arch}.rope.scaling.type`;
  const scaling = fields.optional(key, 'string') ?? 'none';
  if (scaling !== 'none') throw notSupported(fields, key, scaling, 'none');
}

function positive(fields: Fields, key: string): number {
  const value = decimalOf(fields.required(key, 'f32'));
  if (!(value > 0 && value < Infinity)) {
    throw fields.error(key, 'out of range', { got: String(value), expected: 'a positive number' });
  }
  return value;
}

/** The shortest decimal number that rounds to this f32: 1e-6 and not 9.999999974752427e-7. */
function decimalOf(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

export function readGeneration(fields: Fields): GenerationConfig {
  const f32 = (key: string) => {
    const value = fields.optional(`general.sampling.${key}`, 'f32');
    return value === undefined ? undefined : decimalOf(value);
  };
  return withoutUndefined({
    temperature: f32('temp'),
    topK: fields.optional('general.sampling.top_k', 'i32'),
    topP: f32('top_p'),
    minP: f32('min_p'),
    repetitionPenalty: f32('penalty_repeat'),
  });
}

export function readCard(fields: Fields): ModelCard {
  return withoutUndefined({
    license: fields.optional('general.license', 'string'),
    licenseName: fields.optional('general.license.name', 'string'),
    licenseLink: published(fields.optional('general.license.link', 'string')),
    baseModels: sourceIds(fields, 'base_model'),
    datasets: sourceIds(fields, 'dataset'),
    tags: fields.optionalList('general.tags', 'string'),
    languages: fields.optionalList('general.languages', 'string'),
  });
}

/** Nothing where a text holds a path of its maker's machine. */
function published(text: string | undefined): string | undefined {
  return text === undefined || holdsLocalPath(text) ? undefined : text;
}

/** Ids `organization/name` of base models or data sets. */
function sourceIds(fields: Fields, kind: 'base_model' | 'dataset'): readonly string[] | undefined {
  const count = fields.optional(`general.${kind}.count`, 'u32');
  if (count === undefined) return undefined;
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const prefix = `general.${kind}.${index}`;
    const name = fields.required(`${prefix}.name`, 'string');
    const organization = fields.optional(`${prefix}.organization`, 'string');
    ids.push(organization === undefined ? name : `${organization}/${name}`);
  }
  // Converters write the folder that they were given where they know no repository.
  return ids.filter((id) => !holdsLocalPath(id));
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function notSupported(fields: Fields, key: string, got: unknown, expected: string): PressError {
  return unsupported({ file: fields.file, field: fields.label(key), what: 'not supported', got, expected });
}

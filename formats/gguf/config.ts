import type { PlmConfig } from '../../src/core/config.ts';
import { type PressError, unsupported } from '../../src/core/errors.ts';
import type { GenerationConfig, ModelCard } from '../../src/core/model.ts';
import type { Fields } from './fields.ts';

/** LLAMA_MAX_LAYERS of llama.cpp. */
const MAX_LAYERS = 512;
/** llama.cpp's theta where a file has none. */
const DEFAULT_ROPE_THETA = 10_000;

/** Refuses what is not a language model of arch `plm`. */
export function assertPlm(fields: Fields): void {
  const type = fields.optional('general.type', 'string') ?? 'model';
  if (type !== 'model') throw notSupported(fields, 'general.type', type, 'model');
  const architecture = fields.required('general.architecture', 'string');
  if (architecture !== 'plm') throw notSupported(fields, 'general.architecture', architecture, 'plm');
}

/** Geometry from the `plm.*` keys. Sizes are checked against the tensors by the importer. */
export function readConfig(fields: Fields): PlmConfig {
  const numHiddenLayers = fields.count('plm.block_count');
  if (numHiddenLayers > MAX_LAYERS) {
    throw notSupported(fields, 'plm.block_count', numHiddenLayers, `at most ${MAX_LAYERS}`);
  }
  const numAttentionHeads = headCount(fields, 'plm.attention.head_count');
  const keyHeads = headCount(fields, 'plm.attention.head_count_kv');
  if (keyHeads !== numAttentionHeads) {
    throw notSupported(fields, 'plm.attention.head_count_kv', keyHeads, `${numAttentionHeads}, as the heads`);
  }
  assertPlainRope(fields);
  const qkRopeHeadDim = fields.count('plm.rope.dimension_count');
  if (qkRopeHeadDim % 2 !== 0) {
    throw fields.error('plm.rope.dimension_count', 'odd', { got: qkRopeHeadDim, expected: 'an even number' });
  }
  return {
    vocabSize: fields.count('plm.vocab_size'),
    hiddenSize: fields.count('plm.embedding_length'),
    numHiddenLayers,
    numAttentionHeads,
    intermediateSizes: ffnWidths(fields, numHiddenLayers),
    kvLoraRank: fields.count('plm.attention.kv_lora_rank'),
    qLoraRank: undefined,
    qkNopeHeadDim: fields.count('plm.attention.key_length', qkRopeHeadDim + 1) - qkRopeHeadDim,
    qkRopeHeadDim,
    vHeadDim: fields.count('plm.attention.value_length'),
    rmsNormEps: positive(fields, 'plm.attention.layer_norm_rms_epsilon'),
    ropeTheta: fields.has('plm.rope.freq_base') ? positive(fields, 'plm.rope.freq_base') : DEFAULT_ROPE_THETA,
    ropeInterleave: true,
    maxPositionEmbeddings: fields.count('plm.context_length'),
    tieWordEmbeddings: true,
  };
}

function headCount(fields: Fields, key: string): number {
  if (fields.isList(key)) throw notSupported(fields, key, 'an array', 'one count for all layers');
  return fields.count(key);
}

function ffnWidths(fields: Fields, layers: number): readonly number[] {
  const key = 'plm.feed_forward_length';
  if (!fields.isList(key)) return Array<number>(layers).fill(fields.count(key));
  const widths = fields.list(key, 'u32');
  if (widths.length !== layers || widths.includes(0)) {
    throw fields.error(key, 'widths', { got: widths.length, expected: `${layers}, none of them 0` });
  }
  return widths;
}

function assertPlainRope(fields: Fields): void {
  const scaling = fields.optional('plm.rope.scaling.type', 'string') ?? 'none';
  if (scaling !== 'none') throw notSupported(fields, 'plm.rope.scaling.type', scaling, 'none');
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
    licenseLink: fields.optional('general.license.link', 'string'),
    baseModels: sourceIds(fields, 'base_model'),
    datasets: sourceIds(fields, 'dataset'),
    tags: fields.optionalList('general.tags', 'string'),
    languages: fields.optionalList('general.languages', 'string'),
  });
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
  return ids;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function notSupported(fields: Fields, key: string, got: unknown, expected: string): PressError {
  return unsupported({ file: fields.file, field: fields.label(key), what: 'not supported', got, expected });
}

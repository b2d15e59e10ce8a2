import type { PlmConfig } from '../../src/core/config.ts';
import { isPowerOfTwo } from '../../src/core/elementary/binary-exponent.ts';
import { type PressError, unsupported } from '../../src/core/errors.ts';
import type { GenerationConfig, ModelCard } from '../../src/core/model.ts';
import { holdsLocalPath } from '../../src/core/text/local-path.ts';
import { GGUF_ARCHITECTURES, type GgufArchitecture } from './architecture.ts';
import { decimalOf, type Fields } from './container/fields.ts';
import { BETA_KEY } from './swiglu.ts';
import { TOKENS_KEY } from './tokenizer.ts';

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
  // As in llama.cpp, without the key there are as many as heads.
  const keyHeadsKey = `${arch}.attention.head_count_kv`;
  const keyHeads = fields.has(keyHeadsKey) ? headCount(fields, keyHeadsKey) : numAttentionHeads;
  if (keyHeads !== cachedHeads) throw notSupported(fields, keyHeadsKey, keyHeads, String(cachedHeads));
  assertPlainRope(fields, arch);
  const qkRopeHeadDim = fields.count(`${arch}.rope.dimension_count`);
  if (qkRopeHeadDim % 2 !== 0) {
    const found = { got: qkRopeHeadDim, expected: 'an even number' };
    throw fields.error(`${arch}.rope.dimension_count`, 'odd', found);
  }
  // In deepseek2 the plain keys are the sizes of what is cached.
  const ofHead = arch === 'plm' ? '' : '_mla';
  const theta = `${arch}.rope.freq_base`;
  const vocabulary = `${arch}.vocab_size`;
  return {
    // Likewise, without the key, the length of the list of tokens.
    vocabSize: fields.has(vocabulary) ? fields.count(vocabulary) : fields.list(TOKENS_KEY, 'string').length,
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

/** Rejects models of arch deepseek2 that are not PLM. */
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

/** One count, or a list of equal ones. */
function headCount(fields: Fields, key: string): number {
  if (!fields.isList(key)) return fields.count(key);
  const [first, ...more] = fields.counts(key);
  if (first === undefined || more.some((count) => count !== first)) {
    throw notSupported(fields, key, 'an array', 'one count for all layers');
  }
  return first;
}

function ffnWidths(fields: Fields, arch: GgufArchitecture, layers: number): readonly number[] {
  const key = `${arch}.feed_forward_length`;
  if (!fields.isList(key)) return Array<number>(layers).fill(fields.count(key));
  const widths = fields.counts(key);
  if (widths.length !== layers) {
    throw fields.error(key, 'widths', { got: widths.length, expected: `${layers}, one for each layer` });
  }
  return widths;
}

/**
 * Refuses scaled RoPE. As in llama.cpp, a file without a type scales linearly, by a factor of 1 where it has
 * none or 0, and YaRN with a factor of 1 scales nothing.
 */
function assertPlainRope(fields: Fields, arch: GgufArchitecture): void {
  const keyOf = (name: string) => `${arch}.rope.${name}`;
  const attention = fields.optional(keyOf('scaling.attn_factor'), 'f32') ?? 1;
  if (attention !== 1) throw notSupported(fields, keyOf('scaling.attn_factor'), String(attention), '1');
  const type = fields.optional(keyOf('scaling.type'), 'string') ?? 'linear';
  if (type === 'none') return;
  if (type !== 'linear' && type !== 'yarn') throw notSupported(fields, keyOf('scaling.type'), type, 'none');
  const key = ['scaling.factor', 'scale_linear'].map(keyOf).find((name) => fields.has(name));
  const factor = key === undefined ? 1 : fields.required(key, 'f32');
  if (factor !== 1 && factor !== 0) {
    const scaling = `${type} scaling by ${factor}`;
    throw notSupported(fields, key!, scaling, 'a factor of 1 (no scaling)');
  }
}

function positive(fields: Fields, key: string): number {
  const value = decimalOf(fields.required(key, 'f32'));
  if (!(value > 0 && value < Infinity)) {
    throw fields.error(key, 'out of range', { got: String(value), expected: 'a positive number' });
  }
  return value;
}

/**
 * Sampling defaults as llama.cpp takes them: a temperature of at most 0 is greedy, and a top-k, a min-p of at
 * most 0 and a top-p of at least 1 restrict nothing. Throws `invalid-input` for values that mean nothing.
 */
export function readGeneration(fields: Fields): GenerationConfig {
  const read = (name: string, expected: string, fits: (value: number) => boolean) => {
    const key = `general.sampling.${name}`;
    const value = fields.number(key);
    if (value === undefined || (Number.isFinite(value) && fits(value))) return value;
    throw fields.error(key, 'out of range', { got: String(value), expected });
  };
  const atLeast0 = (value: number | undefined) => value && Math.max(0, value);
  const topP = read('top_p', 'at least 0', (value) => value >= 0);
  return withoutUndefined({
    temperature: atLeast0(read('temp', 'a number', () => true)),
    topK: atLeast0(read('top_k', 'an integer', Number.isSafeInteger)),
    topP: topP && Math.min(1, topP),
    minP: atLeast0(read('min_p', 'at most 1', (value) => value <= 1)),
    repetitionPenalty: read('penalty_repeat', 'above 0', (value) => value > 0),
  });
}

/** Keys of the model card. A malformed one never refuses the model. */
export function readCard(fields: Fields): ModelCard {
  return withoutUndefined({
    license: fields.harmless('general.license'),
    licenseName: fields.harmless('general.license.name'),
    licenseLink: published(fields.harmless('general.license.link')),
    baseModels: sourceIds(fields, 'base_model'),
    datasets: sourceIds(fields, 'dataset'),
    tags: fields.harmlessList('general.tags'),
    languages: fields.harmlessList('general.languages'),
  });
}

/** Nothing where a text holds a path of its maker's machine. */
function published(text: string | undefined): string | undefined {
  return text === undefined || holdsLocalPath(text) ? undefined : text;
}

/** Cards name a handful. */
const MAX_SOURCES = 256;

/**
 * Ids `organization/name` of base models or data sets, or their addresses where they are not on the Hub.
 * llama.cpp's converter writes names for people, so an address tells more; of sources outside of the Hub it
 * writes nothing else.
 */
function sourceIds(fields: Fields, kind: 'base_model' | 'dataset'): readonly string[] | undefined {
  const ids: string[] = [];
  for (let index = 0; index < MAX_SOURCES; index++) {
    const text = (member: string) => fields.harmless(`general.${kind}.${index}.${member}`) || undefined;
    const [name, organization, url] = [text('name'), text('organization'), text('repo_url')];
    const ofName = name === undefined || organization === undefined ? name : `${organization}/${name}`;
    const id = hubId(url) ?? ofName ?? url;
    // The count of a file may say anything.
    if (id === undefined) break;
    ids.push(id);
  }
  // Converters write the folder that they were given where they know no repository.
  const published = ids.filter((id) => !holdsLocalPath(id));
  return published.length === 0 ? undefined : published;
}

/** `org/name` of an address on the Hub. */
function hubId(url: string | undefined): string | undefined {
  return /^https?:\/\/(?:huggingface\.co|hf\.co)\/(?:datasets\/)?([\w.-]+\/[\w.-]+)\/?$/.exec(url ?? '')?.[1];
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function notSupported(fields: Fields, key: string, got: unknown, expected: string): PressError {
  return unsupported({ file: fields.file, field: fields.label(key), what: 'not supported', got, expected });
}

import { assertFormatVersion } from '../../../src/core/format-version.ts';
import { parseJson } from '../../../src/core/json/json.ts';
import type { JsonField } from '../../../src/core/json/json-field.ts';
import {
  BUNDLE_SCHEMA,
  BUNDLE_VERSION,
  type BundleFile,
  type BundleGeneration,
  type BundleManifest,
  type BundleModel,
  type BundleRequirements,
  type ChatForm,
  type SelfTest,
} from '../../../src/webgpu/manifest.ts';
import {
  even,
  MAX_END_TOKENS,
  MAX_HEADS,
  MAX_LAYERS,
  MAX_POSITIONS,
  MAX_VOCABULARY,
  MAX_WIDTH,
} from '../../hf/config.ts';
import { positive } from '../../hf/positive.ts';
import { plmConfig } from '../geometry.ts';
import { WEBGPU_SCHEMES } from '../schemes.ts';
import { MAX_SHARD_BYTES } from '../shards.ts';
import { parseTensors } from './manifest-tensors.ts';

const SHA256 = /^[0-9a-f]{64}$/;
/** Nothing that leads out of a folder, and nothing that is hidden in it. */
const BARE_NAME = /^[A-Za-z0-9_][\w.-]*$/;
/** Tokens of a self-test, and logits that it holds. */
const MAX_TEST_ITEMS = 4096;
const MAX_FILES = 1_000_000;

/**
 * Reads manifest.json of a bundle, member by member; members that no version knows are ignored. What it says
 * of files is still to be compared with them.
 * @throws PressError unsupported for a later version; invalid-input where a member is missing or wrong, names
 * a place outside the folder, or contradicts another.
 */
export function parseBundleManifest(text: string, file: string): BundleManifest {
  const root = parseJson(text, file);
  if (root.at('schema').value !== BUNDLE_SCHEMA) throw root.at('schema').unexpected(BUNDLE_SCHEMA);
  assertFormatVersion(root.at('version'), BUNDLE_VERSION);
  const model = parseModel(root.at('model'));
  const shards = root.at('shards').items(MAX_FILES).map(parseShard);
  const chat = root.at('chat').optional();
  const firing = root.at('firing').optional();
  const quality = root.at('quality').optional();
  return {
    schema: BUNDLE_SCHEMA,
    version: BUNDLE_VERSION,
    name: root.at('name').string(),
    tool: { name: root.at('tool').at('name').string(), version: root.at('tool').at('version').string() },
    scheme: oneOf(
      root.at('scheme'),
      WEBGPU_SCHEMES.map(({ name }) => name),
    ),
    model,
    runtime: parseSibling(root.at('runtime')),
    tokenizer: parseSibling(root.at('tokenizer')),
    shards,
    tensors: parseTensors(root.at('tensors'), plmConfig(model), shards),
    ...(chat && { chat: parseChat(chat) }),
    generation: parseGeneration(root.at('generation'), model),
    requirements: parseRequirements(root.at('requirements')),
    memory: root
      .at('memory')
      .items(MAX_TEST_ITEMS)
      .map((entry) => ({ context: entry.at('context').integer(1), bytes: entry.at('bytes').integer(1) })),
    sources: root
      .at('sources')
      .items(MAX_FILES)
      .map((source) => ({ file: source.at('file').string(), ...parseContent(source) })),
    passes: strings(root.at('passes')),
    ...(quality && { quality: quality.string() }),
    ...(firing && { firing: parseFiring(firing, model) }),
    selfTest: parseSelfTest(root.at('selfTest'), model),
  };
}

function parseModel(model: JsonField): BundleModel {
  const width = (key: string) => model.at(key).integer(1, MAX_WIDTH);
  const widths = model.at('intermediate_sizes').items(MAX_LAYERS);
  if (widths.length === 0) throw model.at('intermediate_sizes').unexpected('one width per layer');
  return {
    vocab_size: model.at('vocab_size').integer(1, MAX_VOCABULARY),
    hidden_size: width('hidden_size'),
    num_attention_heads: model.at('num_attention_heads').integer(1, MAX_HEADS),
    intermediate_sizes: widths.map((size) => size.integer(1, MAX_WIDTH)),
    kv_lora_rank: width('kv_lora_rank'),
    q_lora_rank: model.at('q_lora_rank').value === null ? null : width('q_lora_rank'),
    qk_nope_head_dim: width('qk_nope_head_dim'),
    qk_rope_head_dim: even(model.at('qk_rope_head_dim')),
    v_head_dim: width('v_head_dim'),
    rms_norm_eps: positive(model.at('rms_norm_eps'))!,
    rope_theta: positive(model.at('rope_theta'))!,
    rope_interleave: model.at('rope_interleave').boolean(),
    max_position_embeddings: model.at('max_position_embeddings').integer(1, MAX_POSITIONS),
    tie_word_embeddings: model.at('tie_word_embeddings').boolean(),
    ffn_bias: model.at('ffn_bias').boolean(),
  };
}

function parseShard(field: JsonField): BundleFile {
  const shard = parseSibling(field);
  if (shard.file !== `w-${shard.sha256.slice(0, 16)}.bin`) {
    throw field.at('file').unexpected('w-, the first 16 digits of sha256, .bin');
  }
  field.at('bytes').integer(1, MAX_SHARD_BYTES);
  return shard;
}

/** A file beside the manifest. */
function parseSibling(field: JsonField): BundleFile {
  const file = field.at('file').string();
  if (!BARE_NAME.test(file)) throw field.at('file').unexpected('a file beside the manifest');
  return { file, ...parseContent(field) };
}

function parseContent(field: JsonField): Pick<BundleFile, 'bytes' | 'sha256'> {
  const sha256 = field.at('sha256').string();
  if (!SHA256.test(sha256)) throw field.at('sha256').unexpected('64 hex digits');
  return { bytes: field.at('bytes').integer(0), sha256 };
}

function parseChat(field: JsonField): ChatForm {
  const system = field.at('defaultSystem').optional();
  return {
    before: field.at('before').string(),
    between: field.at('between').string(),
    after: field.at('after').string(),
    ...(system && { defaultSystem: system.string() }),
  };
}

function parseGeneration(field: JsonField, model: BundleModel): BundleGeneration {
  const between = (key: string, max: number) => {
    const value = field.at(key).optional();
    if (value === undefined) return {};
    if (value.number() < 0 || value.number() > max) {
      throw value.unexpected(max === Infinity ? 'at least 0' : `0 to ${max}`);
    }
    return { [key]: value.number() };
  };
  const topK = field.at('top_k').optional();
  return {
    ...between('temperature', Infinity),
    ...(topK && { top_k: topK.integer(0) }),
    ...between('top_p', 1),
    ...between('min_p', 1),
    ...between('repetition_penalty', Infinity),
    stop_token_ids: field
      .at('stop_token_ids')
      .items(MAX_END_TOKENS)
      .map((id) => tokenId(id, model)),
  };
}

function parseRequirements(field: JsonField): BundleRequirements {
  const limits = [...field.at('limits').entries()].map(([name, limit]) => [name, limit.integer(0)] as const);
  return {
    features: strings(field.at('features')),
    optional_features: strings(field.at('optional_features')),
    limits: Object.fromEntries(limits),
  };
}

function parseFiring(field: JsonField, { intermediate_sizes: widths }: BundleModel): number[][] {
  const layers = field.items();
  if (layers.length !== widths.length) throw field.unexpected(`${widths.length} layers`);
  return layers.map((layer, index) => {
    const shares = layer.items();
    if (shares.length !== widths[index]) throw layer.unexpected(`${widths[index]} neurons`);
    return shares.map((share) => {
      if (share.number() < 0 || share.number() > 1) throw share.unexpected('0 to 1');
      return share.number();
    });
  });
}

function parseSelfTest(field: JsonField, model: BundleModel): SelfTest {
  const ids = (of: JsonField) => of.items(MAX_TEST_ITEMS).map((id) => tokenId(id, model));
  const prompt = ids(field.at('prompt'));
  if (prompt.length === 0) throw field.at('prompt').unexpected('one token at least');
  const likeliest = ids(field.at('likeliest'));
  if (likeliest.length !== prompt.length) throw field.at('likeliest').unexpected('one token a prefix');
  const close = field.at('close').items(prompt.length);
  const logits = field.at('logits');
  const values = logits.at('values').items(MAX_TEST_ITEMS);
  const held = ids(logits.at('ids'));
  if (values.length !== held.length) throw logits.at('values').unexpected('one value per token');
  return {
    prompt,
    likeliest,
    close: close.map((index) => index.integer(0, prompt.length - 1)),
    logits: {
      ids: held,
      values: values.map((value) => value.number()),
      rms: positive(logits.at('rms'))!,
      tolerance: positive(logits.at('tolerance'))!,
    },
  };
}

function tokenId(field: JsonField, { vocab_size }: BundleModel): number {
  return field.integer(0, vocab_size - 1);
}

function oneOf<T extends string>(field: JsonField, known: readonly T[]): T {
  const found = known.find((name) => name === field.value);
  if (found === undefined) throw field.unexpected(known.join(', '));
  return found;
}

function strings(field: JsonField): string[] {
  return field.items(MAX_TEST_ITEMS).map((item) => item.string());
}

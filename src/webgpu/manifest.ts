import {
  evenWidth,
  headCount,
  MAX_END_TOKENS,
  MAX_LAYERS,
  positionCount,
  positive,
  vocabularySize,
  width,
} from '../core/geometry-members.ts';
import { hubOrigin } from '../core/hub-origin.ts';
import { formatVersion } from '../core/json/format-version.ts';
import { content } from '../core/json/hashes.ts';
import type { JsonField } from '../core/json/json-field.ts';
import {
  array,
  boolean,
  choice,
  integer,
  matching,
  nullable,
  number,
  object,
  optional,
  type Read,
  record,
  share,
  string,
  where,
} from '../core/json/schema.ts';
import type { TokenizerSpec } from '../core/tokenizer/tokenizer-spec.ts';
import { ALIGNMENT, BUNDLE_SCHEMES, MATRIX_SCHEMES, MAX_SHARD_BYTES } from './planes.ts';

export const BUNDLE_SCHEMA = 'plmpress-webgpu-bundle';
export const BUNDLE_VERSION = 1;

/** Of lists that are short, and of tokens that a self-test has. */
const FEW = { max: 4096 };

const strings = array(string, FEW);
const count = integer(1);
const natural = integer(0);
const atLeast0 = where(number, (value) => value >= 0, 'at least 0');

const file = object({ file: string, ...content });

/** A file in the folder of the manifest: no way out of it, no other host, nothing hidden. */
const sibling = object({ file: matching(/^\w[\w.-]*$/, 'a file beside the manifest'), ...content });

export type BundleFile = Read<typeof file>;

/** Name of a file of weights. A changed one is another file to every cache. */
export function shardName(sha256: string): string {
  return `w-${sha256.slice(0, 16)}.bin`;
}

function shard(field: JsonField): BundleFile {
  const read = sibling(field);
  if (read.file !== shardName(read.sha256)) {
    throw field.at('file').unexpected('w-, the first 16 digits of sha256, .bin');
  }
  field.at('bytes').integer(1, MAX_SHARD_BYTES);
  return read;
}

/** Geometry, in the terms of config.json. */
const model = object({
  vocab_size: vocabularySize,
  hidden_size: width,
  num_attention_heads: headCount,
  /** One per layer. */
  intermediate_sizes: array(width, { max: MAX_LAYERS, some: 'layer' }),
  kv_lora_rank: width,
  q_lora_rank: nullable(width),
  qk_nope_head_dim: width,
  qk_rope_head_dim: evenWidth,
  v_head_dim: width,
  /** Not an integer, as `rope_theta`. */
  rms_norm_eps: positive,
  rope_theta: positive,
  rope_interleave: boolean,
  max_position_embeddings: positionCount,
  tie_word_embeddings: boolean,
  ffn_bias: boolean,
});

export type BundleModel = Read<typeof model>;

/** A run of whole rows of a plane. */
export const piece = object({
  /** Index into `shards`. */
  shard: natural,
  /** A multiple of 256. */
  offset: where(natural, (offset) => offset % ALIGNMENT === 0, `a multiple of ${ALIGNMENT}`),
  /** A multiple of 64 but for the last piece. */
  rows: count,
});

export type BundlePiece = Read<typeof piece>;

/**
 * A matrix `[rows, columns]`, or a vector of one row. Its rows are padded with zeros to
 * `storedColumns(tensor)`. Codes lie in the order of columns, the first of a byte in its lower half. The
 * columns of `neurons` layouts are the outputs of down_proj, its rows the neurons of the FFN; all other
 * tensors are `rows`: as checkpoints have them.
 */
const tensor = object({
  /** Hugging Face name. */
  name: string,
  scheme: choice(BUNDLE_SCHEMES),
  rows: count,
  columns: count,
  layout: choice(['rows', 'neurons']),
  /** All rows, in order: codes of q4 and q8, floats of f16 and f32. */
  values: array(piece),
  /** f16 scales of q4 and q8, one per block; none of floats. */
  scales: array(piece),
});

export type BundleTensor = Read<typeof tensor>;

/**
 * A chat template without a template engine: of each message `before` + role + `between` + content + `after`,
 * then `before` + assistant + `between`.
 */
const chatForm = object({
  before: string,
  between: string,
  after: string,
  /** Content of the system message where the conversation has none; left out: none is added. */
  defaultSystem: optional(string),
});

export type ChatForm = Read<typeof chatForm>;

/** Sampling defaults; left out: greedy. */
const generation = object({
  temperature: optional(atLeast0),
  top_k: optional(natural),
  top_p: optional(share),
  min_p: optional(share),
  repetition_penalty: optional(atLeast0),
  stop_token_ids: array(natural, { max: MAX_END_TOKENS }),
});

export type BundleGeneration = Read<typeof generation>;

const requirements = object({
  /** WebGPU features that the runtime cannot do without, and those that it uses where they are. */
  features: strings,
  optional_features: strings,
  /** Least limits of the device, by WebGPU's names. */
  limits: record(natural),
});

export type BundleRequirements = Read<typeof requirements>;

/**
 * What an intact bundle computes. Teacher-forced: the likeliest token after each prefix of the prompt; and of
 * the logits after the whole prompt some values with the root of the mean square of all.
 */
const selfTest = object({
  prompt: array(natural, { ...FEW, some: 'token' }),
  /** After prefixes of 1, 2, … tokens. */
  likeliest: array(natural),
  /**
   * Prefixes whose likeliest token leads by too little to be told apart, by index into `likeliest`: not held.
   */
  close: array(natural),
  logits: object({
    /** Tokens. */
    ids: array(natural, FEW),
    /** Their logits. */
    values: array(number),
    rms: positive,
    /** How far a value may be off. */
    tolerance: positive,
  }),
});

export type SelfTest = Read<typeof selfTest>;

/**
 * manifest.json of a WebGPU bundle, as docs/webgpu-bundle.md describes it. All hashes are SHA-256 in hex.
 * What its members must have in common, `parseManifest` checks.
 */
export const bundleManifest = object({
  schema: choice([BUNDLE_SCHEMA]),
  version: formatVersion(BUNDLE_VERSION, 'update plmpress, or use the runtime.js beside it'),
  /** For people. */
  name: string,
  tool: object({ name: string, version: string }),
  /** What most of the weights are stored in. */
  scheme: choice(MATRIX_SCHEMES),
  model,
  /** Everything that a page fetches beside this file. Relative to the manifest, as all names. */
  runtime: sibling,
  /** The `TokenizerSpec` as JSON. */
  tokenizer: sibling,
  shards: array(shard),
  tensors: array(tensor),
  chat: optional(chatForm),
  generation,
  requirements,
  /** Of the GPU, with the runtime's defaults, at some contexts. */
  memory: array(object({ context: count, bytes: count }), FEW),
  /** What the weights were made from. */
  sources: array(file),
  /** Where on the Hub they are from, where that is known. */
  origin: optional(hubOrigin),
  /** Passes that made these weights of the source, as `--pass` takes them. */
  passes: strings,
  /** `best`: rounded with error feedback. Left out: each block by itself. */
  quality: optional(string),
  /**
   * By layer and neuron, how often it fires: 0 to 1, in the order of the rows of down_proj. Left out where
   * nothing is known.
   */
  firing: optional(array(array(share))),
  selfTest,
});

export type BundleManifest = Read<typeof bundleManifest>;

/** What `BundleManifest.tokenizer` holds. */
export type BundleTokenizer = TokenizerSpec;

import { invalidInput, PressError } from '../core/errors.ts';
import { parseJson } from '../core/json/json.ts';
import type { JsonField } from '../core/json/json-field.ts';
import { BundleError } from './bundle-error.ts';
import {
  BUNDLE_SCHEMA,
  BUNDLE_SCHEMES,
  BUNDLE_VERSION,
  type BundleFile,
  type BundleGeneration,
  type BundleManifest,
  type BundleModel,
  type BundleOrigin,
  type BundlePiece,
  type BundleRequirements,
  type BundleTensor,
  type ChatForm,
  type SelfTest,
  scaleRowBytes,
  valueRowBytes,
} from './manifest.ts';

/** A name below the folder of the manifest: no way up, no other host, no dot files. */
const SAFE_NAME = /^(?:[A-Za-z0-9_][\w.-]*\/)*[A-Za-z0-9_][\w.-]*$/;
const SHA256 = /^[0-9a-f]{64}$/;
const REPOSITORY = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
const COMMIT = /^[0-9a-f]{40}$/;
/** Offsets of pieces, so that they can be copied and bound as they lie. */
const ALIGNMENT = 256;

/**
 * Reads manifest.json, which may come from anywhere: every field has its type, every name stays in the
 * folder, every piece lies in its shard. Throws `BundleError`, `unsupported` for versions that this runtime
 * does not know and `invalid-bundle` for the rest, naming the field.
 */
export function readManifest(text: string, file = 'manifest.json'): BundleManifest {
  try {
    const root = parseJson(text, file);
    checkVersion(root);
    return manifest(root);
  } catch (error) {
    if (error instanceof PressError) throw new BundleError('invalid-bundle', error.message, { cause: error });
    throw error;
  }
}

function checkVersion(root: JsonField): void {
  const schema = root.at('schema');
  if (schema.value !== BUNDLE_SCHEMA) throw schema.unexpected(BUNDLE_SCHEMA);
  const version = root.at('version').integer(1);
  if (version === BUNDLE_VERSION) return;
  throw new BundleError(
    'unsupported',
    `${root.file}: version ${version} of bundles, this runtime reads version ${BUNDLE_VERSION}; load it with the runtime.js beside it`,
  );
}

function manifest(root: JsonField): BundleManifest {
  const shards = root.at('shards').items().map(bundleFile);
  const chat = root.at('chat').optional();
  const firing = root.at('firing').optional();
  const origin = root.at('origin').optional();
  const quality = root.at('quality').optional()?.string();
  const tool = root.at('tool');
  return {
    schema: BUNDLE_SCHEMA,
    version: BUNDLE_VERSION,
    name: root.at('name').string(),
    tool: { name: tool.at('name').string(), version: tool.at('version').string() },
    scheme: root.at('scheme').string(),
    model: geometry(root.at('model')),
    runtime: bundleFile(root.at('runtime')),
    tokenizer: bundleFile(root.at('tokenizer')),
    shards,
    tensors: root
      .at('tensors')
      .items()
      .map((field) => tensor(field, shards)),
    ...(chat && { chat: chatForm(chat) }),
    generation: generation(root.at('generation')),
    requirements: requirements(root.at('requirements')),
    memory: root
      .at('memory')
      .items()
      .map((field) => ({ context: field.at('context').integer(1), bytes: field.at('bytes').integer(0) })),
    sources: root.at('sources').items().map(sourceFile),
    ...(origin && { origin: bundleOrigin(origin) }),
    passes: strings(root.at('passes')),
    ...(quality !== undefined && { quality }),
    ...(firing && { firing: firing.items().map((layer) => numbers(layer)) }),
    selfTest: selfTest(root.at('selfTest')),
  };
}

function geometry(field: JsonField): BundleModel {
  const size = (name: string) => field.at(name).integer(1);
  const rank = field.at('q_lora_rank');
  return {
    vocab_size: size('vocab_size'),
    hidden_size: size('hidden_size'),
    num_attention_heads: size('num_attention_heads'),
    intermediate_sizes: field
      .at('intermediate_sizes')
      .items()
      .map((width) => width.integer(1)),
    kv_lora_rank: size('kv_lora_rank'),
    q_lora_rank: rank.value === null ? null : rank.integer(1),
    qk_nope_head_dim: size('qk_nope_head_dim'),
    qk_rope_head_dim: size('qk_rope_head_dim'),
    v_head_dim: size('v_head_dim'),
    rms_norm_eps: field.at('rms_norm_eps').number(),
    rope_theta: field.at('rope_theta').number(),
    rope_interleave: field.at('rope_interleave').boolean(),
    max_position_embeddings: size('max_position_embeddings'),
    tie_word_embeddings: field.at('tie_word_embeddings').boolean(),
    ffn_bias: field.at('ffn_bias').boolean(),
  };
}

function sourceFile(field: JsonField): BundleFile {
  return {
    file: field.at('file').string(),
    bytes: field.at('bytes').integer(0),
    sha256: matching(field.at('sha256'), SHA256, 'SHA-256 in hex'),
  };
}

function bundleOrigin(field: JsonField): BundleOrigin {
  return {
    repository: matching(field.at('repository'), REPOSITORY, 'org/name'),
    revision: matching(field.at('revision'), COMMIT, '40 hex digits'),
  };
}

function bundleFile(field: JsonField): BundleFile {
  matching(field.at('file'), SAFE_NAME, 'a name below the folder of the manifest');
  return sourceFile(field);
}

function tensor(field: JsonField, shards: readonly BundleFile[]): BundleTensor {
  const shape = {
    name: field.at('name').string(),
    scheme: choice(field.at('scheme'), BUNDLE_SCHEMES),
    rows: field.at('rows').integer(1),
    columns: field.at('columns').integer(1),
    layout: choice(field.at('layout'), ['rows', 'neurons'] as const),
  };
  const scaleBytes = scaleRowBytes(shape);
  return {
    ...shape,
    values: plane(field.at('values'), shape.rows, valueRowBytes(shape), shards),
    scales: plane(field.at('scales'), scaleBytes === 0 ? 0 : shape.rows, scaleBytes, shards),
  };
}

function plane(
  field: JsonField,
  rows: number,
  rowBytes: number,
  shards: readonly BundleFile[],
): BundlePiece[] {
  const pieces = field.items().map((item) => {
    const shard = item.at('shard').integer(0, shards.length - 1);
    const offset = item.at('offset').integer(0);
    if (offset % ALIGNMENT !== 0) throw item.at('offset').unexpected(`a multiple of ${ALIGNMENT}`);
    const piece = { shard, offset, rows: item.at('rows').integer(1) };
    if (offset + piece.rows * rowBytes > shards[shard]!.bytes) {
      throw item.at('rows').unexpected(`rows that end in ${shards[shard]!.file}`);
    }
    return piece;
  });
  const found = pieces.reduce((sum, piece) => sum + piece.rows, 0);
  if (found !== rows) {
    const { file, field: name } = field;
    throw invalidInput({ file, field: name, what: 'wrong number of rows', got: found, expected: `${rows}` });
  }
  return pieces;
}

function chatForm(field: JsonField): ChatForm {
  const defaultSystem = field.at('defaultSystem').optional()?.string();
  return {
    before: field.at('before').string(),
    between: field.at('between').string(),
    after: field.at('after').string(),
    ...(defaultSystem !== undefined && { defaultSystem }),
  };
}

const CHOICES = ['temperature', 'top_k', 'top_p', 'min_p', 'repetition_penalty'] as const;

function generation(field: JsonField): BundleGeneration {
  const choices = CHOICES.flatMap((name) => {
    const value = field.at(name).optional()?.number();
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...(Object.fromEntries(choices) as Omit<BundleGeneration, 'stop_token_ids'>),
    stop_token_ids: integers(field.at('stop_token_ids')),
  };
}

function requirements(field: JsonField): BundleRequirements {
  return {
    features: strings(field.at('features')),
    optional_features: strings(field.at('optional_features')),
    limits: Object.fromEntries(
      [...field.at('limits').entries()].map(([name, limit]) => [name, limit.integer(0)]),
    ),
  };
}

function selfTest(field: JsonField): SelfTest {
  const logits = field.at('logits');
  return {
    prompt: integers(field.at('prompt')),
    likeliest: integers(field.at('likeliest')),
    close: integers(field.at('close')),
    logits: {
      ids: integers(logits.at('ids')),
      values: numbers(logits.at('values')),
      rms: logits.at('rms').number(),
      tolerance: logits.at('tolerance').number(),
    },
  };
}

const strings = (field: JsonField) => field.items().map((item) => item.string());
const numbers = (field: JsonField) => field.items().map((item) => item.number());
const integers = (field: JsonField) => field.items().map((item) => item.integer(0));

function matching(field: JsonField, pattern: RegExp, expected: string): string {
  const text = field.string();
  if (!pattern.test(text)) throw field.unexpected(expected);
  return text;
}

function choice<T extends string>(field: JsonField, choices: readonly T[]): T {
  const found = choices.find((known) => known === field.value);
  if (found === undefined) throw field.unexpected(choices.join(', '));
  return found;
}

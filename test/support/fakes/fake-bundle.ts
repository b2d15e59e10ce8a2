import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseHfTokenizer } from '../../../formats/hf/tokenizer.ts';
import type { TokenizerSpec } from '../../../src/core/tokenizer/tokenizer-spec.ts';
import {
  BUNDLE_SCHEMA,
  BUNDLE_VERSION,
  type BundleFile,
  type BundleManifest,
} from '../../../src/webgpu/manifest.ts';
import { TOKEN_IDS, TOKENIZER_FILES } from '../builders/tokenizer-files.ts';
import { hashedNext } from './fake-engine.ts';

export const FIXTURE_TOKENIZER: TokenizerSpec = parseHfTokenizer(TOKENIZER_FILES, TOKEN_IDS).spec;

export interface FakeBundleOptions {
  readonly shards?: number;
  /** Multiple of 16,384. */
  readonly shardBytes?: number;
  /** Of its random weights. */
  readonly seed?: string;
  /** Changes the manifest before it is written. */
  readonly change?: (manifest: Writable<BundleManifest>) => void;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Rows of the one tensor of each shard. */
const ROWS = 64;
const PROMPT = [44, 81, 300, 7, 1200];

/**
 * Writes a bundle of random weights with the vocabulary of the fixture. What it computes is what the fake
 * engine does.
 */
export function writeFakeBundle(folder: string, options: FakeBundleOptions = {}): BundleManifest {
  const { shards: count = 6, shardBytes = 65_536, seed = 'weights', change = () => {} } = options;
  mkdirSync(folder, { recursive: true });
  const write = (name: (sha256: string) => string, bytes: Uint8Array): BundleFile => {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(path.join(folder, name(sha256)), bytes);
    return { file: name(sha256), bytes: bytes.length, sha256 };
  };
  const shards = Array.from({ length: count }, (_, i) =>
    write((sha256) => `w-${sha256.slice(0, 16)}.bin`, noise(`${seed} ${i}`, shardBytes)),
  );
  const manifest: Writable<BundleManifest> = {
    schema: BUNDLE_SCHEMA,
    version: BUNDLE_VERSION,
    name: 'test',
    tool: { name: 'plmpress', version: '0.0.0' },
    scheme: 'f16',
    model: {
      vocab_size: 2048,
      hidden_size: 256,
      num_attention_heads: 8,
      intermediate_sizes: [1024, 1024, 1024, 1024],
      kv_lora_rank: 256,
      q_lora_rank: null,
      qk_nope_head_dim: 32,
      qk_rope_head_dim: 16,
      v_head_dim: 32,
      rms_norm_eps: 1e-6,
      rope_theta: 100_000,
      rope_interleave: true,
      max_position_embeddings: 1024,
      tie_word_embeddings: true,
      ffn_bias: false,
    },
    runtime: { file: 'runtime.js', bytes: 0, sha256: '0'.repeat(64) },
    tokenizer: write(() => 'vocabulary.json', Buffer.from(JSON.stringify(FIXTURE_TOKENIZER))),
    shards,
    tensors: shards.map((_, shard) => ({
      name: `model.layers.${shard}.mlp.up_proj.weight`,
      scheme: 'f32',
      rows: ROWS,
      columns: shardBytes / (4 * ROWS),
      layout: 'rows',
      values: [{ shard, offset: 0, rows: ROWS }],
      scales: [],
    })),
    chat: { before: '<|im_start|>', between: '\n', after: '<|im_end|>\n' },
    generation: { stop_token_ids: [2002, 2000] },
    requirements: {
      features: [],
      optional_features: ['subgroups'],
      limits: { maxStorageBufferBindingSize: 65_536 },
    },
    memory: [{ context: 1024, bytes: 3_000_000 }],
    sources: [],
    passes: [],
    selfTest: {
      prompt: PROMPT,
      likeliest: PROMPT.map((_, i) => hashedNext(PROMPT.slice(0, i + 1), {})),
      close: [],
      logits: fakeLogits(hashedNext(PROMPT, {})),
    },
  };
  change(manifest);
  writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(manifest));
  return manifest;
}

/** What the self-test holds of the fake engine's logits. */
function fakeLogits(next: number): BundleManifest['selfTest']['logits'] {
  const row = Array.from({ length: 2048 }, (_, id) => (id === next ? 1 : -(id % 97) / 97));
  const ids = [next, 1900, 1901];
  const rms = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / row.length);
  return { ids, values: ids.map((id) => row[id]!), rms, tolerance: 1e-4 };
}

function noise(seed: string, bytes: number): Uint8Array {
  const block = createHash('sha512').update(seed).digest();
  return Uint8Array.from({ length: bytes }, (_, i) => block[i % 64]! ^ (i >> 6));
}

/** The bytes of a file of a bundle. */
export function bundleBytes(folder: string, { file }: BundleFile): Uint8Array {
  return new Uint8Array(readFileSync(path.join(folder, file)));
}

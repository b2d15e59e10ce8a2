import { tokenizerJsonText } from '../../formats/onnx/folder/tokenizer-json.ts';
import type { PlmConfig } from '../../src/core/config.ts';
import type { Model } from '../../src/core/model.ts';
import { plmTensors } from '../../src/core/names.ts';
import { SMALL_TOKENIZER } from '../support/builders/hollow-model.ts';
import { memoryModel } from '../support/builders/memory-model.ts';
import { noiseSafetensors } from '../support/builders/safetensors-builder.ts';
import { TINY_CONFIG, tinyPlm } from '../support/builders/tiny-checkpoint.ts';
import type { Files } from './target.ts';

/** The tokenizer that all seeds have: the bytes, two merges and three tokens. */
export const TOKENIZER = { ...SMALL_TOKENIZER, chatTemplate: '{{ messages }}' };

const VOCABULARY = { vocab_size: 264, eos_token_id: [258, 259], bos_token_id: 258, pad_token_id: 258 };

/** A config.json of few weights, with every field that is read. */
export const CONFIG: Readonly<Record<string, unknown>> = {
  ...TINY_CONFIG,
  ...VOCABULARY,
  hidden_act: 'relu2',
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  rope_scaling: null,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
  attention_bias: false,
  rope_interleave: true,
  auto_map: { AutoConfig: 'x.Y' },
};

export const TOKENIZER_JSON = tokenizerJsonText(TOKENIZER);
export const TOKENIZER_CONFIG = JSON.stringify({
  add_bos_token: false,
  bos_token: '<|endoftext|>',
  eos_token: { content: '<|endoftext|>' },
  pad_token: '<|endoftext|>',
  unk_token: null,
  chat_template: TOKENIZER.chatTemplate,
  additional_special_tokens: ['<|im_end|>'],
  clean_up_tokenization_spaces: false,
  added_tokens_decoder: { 258: { content: '<|endoftext|>', special: true, lstrip: false } },
});

/** Files of a checkpoint that stand beside its weights. */
export function companions(config: Readonly<Record<string, unknown>> = CONFIG): [string, Uint8Array][] {
  const generation = {
    temperature: 0.7,
    top_k: 20,
    top_p: 0.9,
    repetition_penalty: 1.1,
    eos_token_id: [258],
  };
  const card = '---\nlicense: apache-2.0\ntags:\n- plm\n- "edge"\nbase_model: [a/b, c/d]\n---\n# A model\n';
  return Object.entries({
    'config.json': JSON.stringify(config),
    'generation_config.json': JSON.stringify(generation),
    'tokenizer.json': TOKENIZER_JSON,
    'tokenizer_config.json': TOKENIZER_CONFIG,
    'README.md': card,
  }).map(([name, text]) => [name, Buffer.from(text)]);
}

/** Tensors of a config.json. */
export function tensorsOf(changes: Readonly<Record<string, unknown>> = {}) {
  return plmTensors(plmOf(changes)).map(({ name, shape }) => ({ name, shape, dtype: 'BF16' as const }));
}

function plmOf(changes: Readonly<Record<string, unknown>>): PlmConfig {
  return tinyPlm({ ...CONFIG, ...changes });
}

/** A checkpoint whole or in shards. */
export function checkpointFiles(shards = 1): Files {
  const tensors = tensorsOf();
  const files = new Map(companions());
  const names = Array.from({ length: shards }, (_, i) =>
    shards === 1 ? 'model.safetensors' : `model-0000${i + 1}-of-0000${shards}.safetensors`,
  );
  for (const [shard, name] of names.entries()) {
    const content = tensors.filter((_, i) => i % shards === shard);
    files.set(name, noiseSafetensors(content, shard).content);
  }
  const weights = Object.fromEntries(tensors.map(({ name }, i) => [name, names[i % shards]]));
  const index = JSON.stringify({ metadata: { total_size: 0 }, weight_map: weights });
  if (shards > 1) files.set('model.safetensors.index.json', Buffer.from(index));
  return files;
}

/** The same model in memory, of rows that hold whole blocks. */
export function blockModel(): Model {
  const sizes = {
    hidden_size: 32,
    intermediate_size: 64,
    kv_lora_rank: 32,
    v_head_dim: 16,
    qk_nope_head_dim: 32,
  };
  return { ...memoryModel(plmOf(sizes)), tokenizer: TOKENIZER, generation: { temperature: 0.7, topK: 20 } };
}

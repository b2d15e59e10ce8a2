import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseConfig } from '../../../formats/hf/config.ts';
import type { Dtype } from '../../../formats/safetensors/dtype.ts';
import type { PlmConfig } from '../../../src/core/config.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { fixture } from '../paths.ts';
import { noiseSafetensors } from './safetensors-builder.ts';

/** The smallest PLM that still has several of everything; its tokenizer is that of the fixture. */
export const TINY_CONFIG: Readonly<Record<string, unknown>> = {
  architectures: ['PLMForCausalLM'],
  model_type: 'plm',
  vocab_size: 2048,
  hidden_size: 8,
  intermediate_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  kv_lora_rank: 8,
  qk_nope_head_dim: 4,
  qk_rope_head_dim: 2,
  v_head_dim: 4,
  eos_token_id: 2002,
};

export interface TinyTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** Geometry of the tiny model, or of one whose config.json differs by `changes`. */
export function tinyPlm(changes: Readonly<Record<string, unknown>> = {}): PlmConfig {
  return parseConfig(JSON.stringify({ ...TINY_CONFIG, ...changes }), 'config.json').plm;
}

/** Tensors of the tiny model, or of one whose config.json differs by `changes`. */
export function tinyTensors(
  changes: Readonly<Record<string, unknown>> = {},
  dtype: Dtype = 'BF16',
): TinyTensor[] {
  return plmTensors(tinyPlm(changes)).map(({ name, shape }) => ({ name, dtype, shape }));
}

/** Writes config.json and the tokenizer files. A change to undefined removes the field. */
export function writeTinyConfig(folder: string, changes: Readonly<Record<string, unknown>> = {}): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify({ ...TINY_CONFIG, ...changes }));
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    copyFileSync(fixture('plm-tiny', name), path.join(folder, name));
  }
}

/** Writes a whole checkpoint of the tiny model with weights of seeded noise in `model.safetensors`. */
export function writeTinyCheckpoint(folder: string, tensors: readonly TinyTensor[] = tinyTensors()): void {
  writeTinyConfig(folder);
  writeFileSync(path.join(folder, 'model.safetensors'), noiseSafetensors(tensors, 1).content);
}

/** Writes tensor i into shard i mod `shards`, and returns the `weight_map` that says so. */
export function writeTinyShards(
  folder: string,
  shards: number,
  tensors: readonly TinyTensor[] = tinyTensors(),
): Record<string, string> {
  writeTinyConfig(folder);
  const weightMap: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const name = shardName(shard, shards);
    const content = tensors.filter((_, i) => i % shards === shard);
    for (const tensor of content) weightMap[tensor.name] = name;
    writeFileSync(path.join(folder, name), noiseSafetensors(content, shard).content);
  }
  writeIndex(folder, weightMap);
  return weightMap;
}

export function shardName(shard: number, shards: number): string {
  const number = (n: number) => String(n).padStart(5, '0');
  return `model-${number(shard + 1)}-of-${number(shards)}.safetensors`;
}

export function writeIndex(folder: string, weightMap: unknown): void {
  const index = { metadata: { total_size: 0 }, weight_map: weightMap };
  writeFileSync(path.join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
}

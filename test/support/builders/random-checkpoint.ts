import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { planSafetensors } from '../../../fixtures/safetensors-writer.ts';
import { decoderOf } from '../../../src/schemes/index.ts';
import { encoderOf } from '../oracles/schemes/index.ts';
import { floats, gaussian } from './samples.ts';
import { shardName, type TinyTensor, tinyTensors, writeIndex, writeTinyConfig } from './tiny-checkpoint.ts';

/** A PLM whose rows hold whole blocks of 32 but not of 256. Its tokenizer is that of the fixture. */
export const BLOCKS_OF_32: Readonly<Record<string, unknown>> = {
  hidden_size: 96,
  intermediate_size: 160,
  num_attention_heads: 3,
  kv_lora_rank: 64,
  qk_nope_head_dim: 16,
  qk_rope_head_dim: 8,
  v_head_dim: 32,
  max_position_embeddings: 64,
};

/** A PLM of two layers and one head whose rows hold blocks of 256. */
export const BLOCKS_OF_256: Readonly<Record<string, unknown>> = {
  hidden_size: 256,
  intermediate_size: 256,
  num_attention_heads: 1,
  kv_lora_rank: 256,
  qk_nope_head_dim: 16,
  qk_rope_head_dim: 16,
  v_head_dim: 256,
  max_position_embeddings: 64,
};

export interface RandomCheckpoint {
  /** Fields of config.json that differ from the tiny model. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly dtype?: 'F32' | 'F16' | 'BF16';
  readonly shards?: number;
  readonly seed?: number;
  /** Rewrites the values of a tensor before they are stored. */
  readonly rewrite?: (tensor: TinyTensor, values: Float32Array) => Float32Array;
}

/**
 * Writes a checkpoint of Gaussian weights scaled so that activations keep their size, as training would. The
 * values are those of bf16 whatever the dtype, so that checkpoints of one seed are equal in all dtypes.
 */
export function writeRandomCheckpoint(folder: string, options: RandomCheckpoint = {}): void {
  const { config = BLOCKS_OF_32, dtype = 'BF16', shards = 1, seed = 1, rewrite } = options;
  writeTinyConfig(folder, config);
  const next = gaussian(seed);
  const files: { name: string; tensors: TinyTensor[] }[] = [];
  const weightMap: Record<string, string> = {};
  const contents = new Map<string, Uint8Array>();
  for (const [index, tensor] of tinyTensors(config, dtype).entries()) {
    const values = randomValues(tensor, next);
    contents.set(tensor.name, encode(dtype, rewrite?.(tensor, values) ?? values));
    const shard = index % shards;
    files[shard] ??= { name: shards === 1 ? 'model.safetensors' : shardName(shard, shards), tensors: [] };
    files[shard].tensors.push(tensor);
    weightMap[tensor.name] = files[shard].name;
  }
  for (const { name, tensors } of files) {
    const plan = planSafetensors(tensors);
    const bytes = new Uint8Array(plan.bytes);
    bytes.set(plan.head);
    for (const tensor of plan.tensors) bytes.set(contents.get(tensor.name)!, tensor.offset);
    writeFileSync(path.join(folder, name), bytes);
  }
  if (shards > 1) writeIndex(folder, weightMap);
}

function randomValues({ shape }: TinyTensor, next: () => number): Float32Array {
  const count = shape.reduce((product, n) => product * n, 1);
  const isNorm = shape.length === 1;
  const scale = isNorm ? 0.1 : 1 / Math.sqrt(shape.at(-1)!);
  const values = floats(count, () => (isNorm ? 1 : 0) + scale * next());
  decoderOf('BF16')(encode('BF16', values), 0, values, 0, count);
  // Below its normal range f16 has fewer bits than bf16.
  return values.map((value) => (Math.abs(value) < 2 ** -14 ? 0 : value));
}

function encode(scheme: 'F32' | 'F16' | 'BF16', values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * (scheme === 'F32' ? 4 : 2));
  encoderOf(scheme)(values, 0, bytes, 0, values.length);
  return bytes;
}

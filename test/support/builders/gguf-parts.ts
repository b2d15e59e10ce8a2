import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { readGguf } from '../../../formats/gguf/container/reader.ts';
import type { GgufValue } from '../../../formats/gguf/container/types.ts';
import { type KeyValue, layoutGguf, type TensorEntry } from '../../../formats/gguf/container/writer.ts';
import { planGguf } from '../../../formats/gguf/export.ts';
import type { Model } from '../../../src/core/model.ts';
import { schemeOfGgmlType } from '../../../src/core/scheme.ts';
import { memorySource } from './raw-gguf.ts';

/** Header of a GGUF as lists that a test can change. */
export interface Parts {
  readonly keys: Map<string, GgufValue>;
  readonly entries: { name: string; scheme: TensorEntry['scheme']; shape: number[] }[];
}

/**
 * The parts of each file that an export of `model` makes, in arch deepseek2 where it has the parts of
 * kv_b_proj.
 */
export async function partsOf(model: Model, recipe = 'q8_0', shardSize?: number): Promise<Parts[]> {
  const arch = model.config.kvBForm === 'split' ? 'deepseek2' : 'plm';
  const plan = planGguf(model, { recipe, arch, ...(shardSize !== undefined && { shardSize }) });
  return Promise.all(
    plan.files.map(async (file) => {
      const bytes = new Uint8Array(file.bytes);
      bytes.set(file.head[0]!.bytes);
      const { metadata, tensors } = await readGguf(memorySource(bytes));
      const entries = tensors.map(({ name, type, dims }) => {
        return { name, scheme: schemeOfGgmlType(type)!, shape: dims.toReversed() };
      });
      return { keys: new Map(metadata), entries };
    }),
  );
}

/** Bytes of a file of these parts whose data is `index % 251` at each byte. */
export function bytesOf({ keys, entries }: Parts): Uint8Array {
  const layout = layoutGguf([...keys] as KeyValue[], entries);
  const bytes = Uint8Array.from({ length: layout.bytes }, (_, index) => index % 251);
  bytes.set(layout.header);
  return bytes;
}

export function writeFile(folder: string, parts: Parts, name = 'model.gguf'): string {
  const file = path.join(folder, name);
  writeFileSync(file, bytesOf(parts));
  return file;
}

/** Writes a split model and returns the path of its first shard. */
export function writeShards(folder: string, shards: readonly Parts[]): string {
  const number = (n: number) => String(n).padStart(5, '0');
  const names = shards.map((_, i) => `m-${number(i + 1)}-of-${number(shards.length)}.gguf`);
  const paths = shards.map((parts, i) => writeFile(folder, parts, names[i]!));
  return paths[0]!;
}

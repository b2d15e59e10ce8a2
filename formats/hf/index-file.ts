import { invalidInput } from '../../src/core/errors.ts';
import { parseJson } from '../../src/core/json/json.ts';
import type { Container } from './container.ts';

/** Limit of huggingface.js. */
const MAX_SHARDS = 10_000;
/** As many tensors as one header may name; the largest PLM has about 6,200. */
const MAX_TENSORS = 100_000;
/** A base name, so that no value can lead elsewhere: no separators, no drive letters. */
const BASE_NAME = /^[\w.-]+$/;

/** What the index of a container says. */
export interface ShardIndex {
  /** File names in ascending order. */
  readonly shards: readonly string[];
  /** Shard of every tensor. */
  readonly shardOf: ReadonlyMap<string, string>;
}

/** Parses the text of an index. Values of `weight_map` are base names, and numbered shards are complete. */
export function parseIndex(text: string, { index: file, extension, numbered }: Container): ShardIndex {
  const shardOf = new Map<string, string>();
  for (const [tensor, field] of parseJson(text, file, { maxMembers: MAX_TENSORS })
    .at('weight_map')
    .entries()) {
    const shard = field.string();
    if (!BASE_NAME.test(shard) || !shard.toLowerCase().endsWith(extension) || shard === extension) {
      throw field.unexpected(`the base name of a ${extension} file`);
    }
    shardOf.set(tensor, shard);
  }
  const shards = [...new Set(shardOf.values())].sort();
  const field = 'weight_map';
  if (shards.length === 0) throw invalidInput({ file, field, what: 'names no tensor' });
  if (shards.length > MAX_SHARDS) {
    throw invalidInput({
      file,
      field,
      what: 'too many shards',
      got: shards.length,
      expected: `at most ${MAX_SHARDS}`,
    });
  }
  for (const shard of shards) {
    const total = numbered.exec(shard)?.[1];
    if (total !== undefined && Number(total) !== shards.length) {
      const what = `${shard} is one of ${Number(total)} shards`;
      throw invalidInput({ file, field, what, got: shards.length, expected: `${Number(total)} names` });
    }
  }
  return { shards, shardOf };
}

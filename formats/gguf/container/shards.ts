import { byteLength } from '../../../src/core/tensor.ts';
import { DEFAULT_ALIGNMENT, padded } from './types.ts';
import { type KeyValue, layoutGguf, type TensorEntry } from './writer.ts';

/**
 * The pattern that llama.cpp's loader requires, whatever the case of its ending. Arch `plm` has fewer than
 * 5000 tensors, so 5 digits suffice.
 */
const NAME = /^(?<stem>.+)-(?<number>\d{5})-of-(?<count>\d{5})\.(?<ending>[Gg][Gg][Uu][Ff])$/s;

/** A file of a split model, complete in itself; only the first has the model's metadata. */
export interface Shard<E extends TensorEntry> {
  readonly metadata: readonly KeyValue[];
  readonly entries: readonly E[];
}

/** `<stem>-00001-of-0000N.gguf`, for `index` from 0. */
export function shardFileName(stem: string, index: number, count: number, ending = 'gguf'): string {
  const digits = (n: number) => String(n).padStart(5, '0');
  return `${stem}-${digits(index + 1)}-of-${digits(count)}.${ending}`;
}

/**
 * What the names of all shards of a split model begin with, from the name of any; undefined for other names.
 */
export function splitStem(fileName: string): string | undefined {
  return NAME.exec(fileName)?.groups?.stem;
}

/** Names of all shards of a split model, from the name of any; undefined for other names. */
export function siblingShardNames(fileName: string): readonly string[] | undefined {
  const groups = NAME.exec(fileName)?.groups;
  if (groups === undefined) return undefined;
  const count = Number(groups.count);
  return Array.from({ length: count }, (_, index) =>
    shardFileName(groups.stem!, index, count, groups.ending),
  );
}

/**
 * Splits tensors, in their order, into files of at most `size` bytes, header included. A shard holds at least
 * one tensor, so a tensor larger than `size` makes a file larger than `size`.
 */
export function layoutShards<E extends TensorEntry>(
  metadata: readonly KeyValue[],
  entries: readonly E[],
  size: number,
): Shard<E>[] {
  const groups: E[][] = [];
  let bytes = Infinity;
  for (const entry of entries) {
    const added = infoBytes(entry) + padded(byteLength(entry), DEFAULT_ALIGNMENT);
    if (bytes + added > size) {
      groups.push([]);
      // Of the header, all but the tensor infos; one alignment more, since infos end anywhere.
      const own = groups.length === 1 ? metadata : [];
      bytes = layoutGguf([...own, ...splitKeys(0, 0, 0)], []).bytes + DEFAULT_ALIGNMENT;
    }
    groups.at(-1)!.push(entry);
    bytes += added;
  }
  return groups.map((group, index) => ({
    metadata: [...(index === 0 ? metadata : []), ...splitKeys(index, groups.length, entries.length)],
    entries: group,
  }));
}

function splitKeys(index: number, count: number, tensors: number): KeyValue[] {
  return [
    ['split.no', { type: 'u16', value: index }],
    ['split.count', { type: 'u16', value: count }],
    ['split.tensors.count', { type: 'i32', value: tensors }],
  ];
}

/** Bytes of a tensor's description in the header. */
function infoBytes(entry: TensorEntry): number {
  return 8 + Buffer.byteLength(entry.name) + 4 + 8 * entry.shape.length + 4 + 8;
}

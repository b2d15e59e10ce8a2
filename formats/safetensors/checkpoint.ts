import { invalidInput } from '../../src/core/errors.ts';
import type { SourceFile } from '../../src/core/model.ts';
import type { InputFile } from '../../src/io/input-file.ts';
import type { SourceFolder } from '../../src/io/source-folder.ts';
import type { TensorEntry } from './header.ts';
import { isNumberedShard, parseIndex, type ShardIndex } from './index-file.ts';
import { readHeader } from './reader.ts';

export const SINGLE_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';

/** Names of 100,000 tensors with their shards take about 10 MB. */
const MAX_INDEX_BYTES = 64_000_000;

/** A tensor of a checkpoint and the file that holds it. */
export interface StoredTensor extends TensorEntry {
  readonly file: InputFile;
}

export interface Checkpoint {
  /** The file that lists the tensors: the weights themselves or the index of their shards. */
  readonly listedIn: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly notes: readonly string[];
}

/**
 * Opens the weights of a folder, `model.safetensors` or the shards of its index, and checks every header.
 * Each file goes into `files` as soon as it is open: the caller closes them, after a failure too.
 */
export async function openCheckpoint(folder: SourceFolder, files: SourceFile[]): Promise<Checkpoint> {
  if (folder.has(SINGLE_FILE)) {
    const file = await openInto(folder, SINGLE_FILE, files);
    const notes = folder.has(INDEX_FILE) ? [`${INDEX_FILE} ignored, since ${SINGLE_FILE} is there`] : [];
    return { listedIn: SINGLE_FILE, tensors: new Map(await storedTensors(file)), notes };
  }
  const text = await folder.readText(INDEX_FILE, MAX_INDEX_BYTES);
  files.push(text);
  const index = parseIndex(text.text, INDEX_FILE);
  assertSameShards(folder, index);
  const tensors = new Map<string, StoredTensor>();
  for (const shard of index.shards) {
    const file = await openInto(folder, shard, files);
    for (const [name, tensor] of await storedTensors(file)) {
      if (index.shardOf.get(name) !== shard) throw notListed(name, shard);
      tensors.set(name, tensor);
    }
  }
  for (const [name, shard] of index.shardOf) {
    if (!tensors.has(name)) throw indexFault(name, `${shard} does not hold this tensor`);
  }
  return { listedIn: INDEX_FILE, tensors, notes: [] };
}

async function openInto(folder: SourceFolder, name: string, files: SourceFile[]): Promise<InputFile> {
  const file = await folder.open(name);
  files.push(file);
  return file;
}

async function storedTensors(file: InputFile): Promise<[string, StoredTensor][]> {
  const { tensors } = await readHeader(file);
  return [...tensors].map(([name, entry]) => [name, { ...entry, file }]);
}

function assertSameShards(folder: SourceFolder, index: ShardIndex): void {
  for (const [name, shard] of index.shardOf) {
    if (!folder.has(shard)) throw indexFault(name, `shard ${shard} is missing`);
  }
  const listed = new Set(index.shards);
  for (const name of folder.entries) {
    if (isNumberedShard(name) && !listed.has(name)) {
      throw invalidInput({ file: INDEX_FILE, field: 'weight_map', what: `shard ${name} is not listed` });
    }
  }
}

function notListed(name: string, shard: string) {
  const field = `tensor ${JSON.stringify(name)}`;
  return invalidInput({ file: shard, field, what: `${INDEX_FILE} does not list the tensor in this shard` });
}

function indexFault(name: string, what: string) {
  return invalidInput({ file: INDEX_FILE, field: `weight_map[${JSON.stringify(name)}]`, what });
}

import { invalidInput } from '../../src/core/errors.ts';
import type { SourceFile } from '../../src/core/model.ts';
import type { InputFile } from '../../src/io/input-file.ts';
import type { SourceFolder } from '../../src/io/source-folder.ts';
import type { Container, ListedTensor } from './container.ts';
import { parseIndex } from './index-file.ts';

/** Names of 100,000 tensors with their shards take about 10 MB. */
const MAX_INDEX_BYTES = 64_000_000;

/** A tensor of a checkpoint and the file that holds it. */
export interface StoredTensor extends ListedTensor {
  readonly file: InputFile;
}

export interface Checkpoint {
  /** The file that lists the tensors: the weights themselves or the index of their shards. */
  readonly listedIn: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly notes: readonly string[];
}

/**
 * Opens the weights of a folder, one file or else the shards of an index, as Transformers does, and checks
 * what every file says of its tensors. The index says which shards count: others beside them belong to other
 * forms of the model and are left alone. Each file goes into `files` as soon as it is open: the caller closes
 * them, after a failure too.
 */
export async function openCheckpoint(
  folder: SourceFolder,
  container: Container,
  files: SourceFile[],
): Promise<Checkpoint> {
  const { single, index: indexFile } = container;
  const open = async (name: string): Promise<StoredTensor[]> => {
    const file = await folder.open(name);
    files.push(file);
    return (await container.read(file)).map((tensor) => ({ ...tensor, file }));
  };
  if (folder.has(single)) {
    const tensors = new Map((await open(single)).map((tensor) => [tensor.name, tensor]));
    const notes = folder.has(indexFile) ? [`${indexFile} ignored, because ${single} exists`] : [];
    return { listedIn: single, tensors, notes };
  }
  const text = await folder.readText(indexFile, MAX_INDEX_BYTES);
  files.push(text);
  const index = parseIndex(text.text, container);
  for (const [name, shard] of index.shardOf) {
    if (!folder.has(shard)) throw indexFault(indexFile, name, `shard ${shard} is missing`);
  }
  const tensors = new Map<string, StoredTensor>();
  for (const shard of index.shards) {
    for (const tensor of await open(shard)) {
      if (index.shardOf.get(tensor.name) !== shard) throw notListed(tensor.name, shard, indexFile);
      tensors.set(tensor.name, tensor);
    }
  }
  for (const [name, shard] of index.shardOf) {
    if (!tensors.has(name)) throw indexFault(indexFile, name, `${shard} does not hold this tensor`);
  }
  return { listedIn: indexFile, tensors, notes: [] };
}

function notListed(name: string, shard: string, indexFile: string) {
  const field = `tensor ${JSON.stringify(name)}`;
  return invalidInput({ file: shard, field, what: `${indexFile} does not list the tensor in this shard` });
}

function indexFault(file: string, name: string, what: string) {
  return invalidInput({ file, field: `weight_map[${JSON.stringify(name)}]`, what });
}

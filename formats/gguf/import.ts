import path from 'node:path';
import { invalidInput, unsupported } from '../../src/core/errors.ts';
import type { Model } from '../../src/core/model.ts';
import { plmTensors, type TensorSlot } from '../../src/core/names.ts';
import { schemeOfGgmlType } from '../../src/core/scheme.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { holdsLocalPath } from '../../src/core/text/local-path.ts';
import { FileTensor } from '../../src/io/file-tensor.ts';
import { InputFile } from '../../src/io/input-file.ts';
import { SourceFolder } from '../../src/io/source-folder.ts';
import { readArchitecture, readBeta, readCard, readConfig, readGeneration } from './config.ts';
import { Fields } from './container/fields.ts';
import { readGguf } from './container/reader.ts';
import { siblingShardNames } from './container/shards.ts';
import type { GgufHeader, GgufTensorInfo } from './container/types.ts';
import { QUALITY_KEY } from './metadata.ts';
import { gateName, unfoldBeta, withGate } from './swiglu.ts';
import { readTokenizer } from './tokenizer.ts';

/** An open shard, or the only file. */
interface OpenedFile {
  readonly file: InputFile;
  readonly header: GgufHeader;
  readonly fields: Fields;
}

/** A tensor info with the index of its file. */
interface FoundTensor {
  readonly info: GgufTensorInfo;
  readonly file: number;
}

/** Opens a file of the folder that a model is in, by its base name. */
type OpenByName = (name: string) => Promise<InputFile>;

/**
 * Opens a file on this machine as `readGgufModel` does. It may be a link to anywhere; its other shards may
 * not leave the folder.
 */
export async function openGguf(filePath: string): Promise<Model> {
  const { dir, base } = path.parse(path.resolve(filePath));
  return readGgufModel(base, async (name) =>
    name === base ? InputFile.open(filePath, name) : (await SourceFolder.open(dir)).open(name),
  );
}

/**
 * Opens a GGUF of arch `plm`, or of arch `deepseek2` as we write it; of a split model, the first shard opens
 * all. Only headers are read. Tensors come under their Hugging Face names in whatever scheme they are stored.
 * @throws PressError invalid-input for malformed files, unsupported for other architectures and ggml types
 * that no scheme stands for.
 */
export async function readGgufModel(name: string, open: OpenByName): Promise<Model> {
  const opened: OpenedFile[] = [];
  try {
    opened.push(await readFile(await open(name)));
    await openOtherShards(open, opened);
    return toModel(opened, name);
  } catch (error) {
    await Promise.all(opened.map(({ file }) => file.close()));
    throw error;
  }
}

async function readFile(file: InputFile): Promise<OpenedFile> {
  try {
    const header = await readGguf(file);
    return { file, header, fields: new Fields(file.name, header.metadata) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openOtherShards(open: OpenByName, opened: OpenedFile[]): Promise<void> {
  const { fields } = opened[0]!;
  const count = fields.optional('split.count', 'u16') ?? 1;
  if (count <= 1) return;
  if (fields.required('split.no', 'u16') !== 0) {
    throw fields.error('split.no', 'not the first shard of a split model', { expected: 'its first shard' });
  }
  const names = siblingShardNames(fields.file);
  if (names?.length !== count || names[0] !== fields.file) {
    throw fields.error('split.count', 'the file name does not fit', {
      got: fields.file,
      expected: `<name>-00001-of-${String(count).padStart(5, '0')}.gguf`,
    });
  }
  for (const [index, name] of names.entries()) {
    if (index === 0) continue;
    const shard = await readFile(await open(name));
    opened.push(shard);
    const [no, of] = [shard.fields.required('split.no', 'u16'), shard.fields.required('split.count', 'u16')];
    if (no !== index || of !== count) {
      const got = `${no} of ${of}`;
      throw shard.fields.error('split.no', 'shard number', { got, expected: `${index} of ${count}` });
    }
  }
  const total = opened.reduce((sum, { header }) => sum + header.tensors.length, 0);
  const expected = fields.required('split.tensors.count', 'i32');
  if (total !== expected) {
    throw fields.error('split.tensors.count', 'tensors in all shards', {
      got: total,
      expected: `${expected}`,
    });
  }
}

function toModel(opened: readonly OpenedFile[], fileName: string): Model {
  const { fields } = opened[0]!;
  const arch = readArchitecture(fields);
  const found = collectTensors(opened);
  if (found.size === 0) throw unsupported({ file: fileName, what: 'a vocabulary without tensors' });
  const config = readConfig(fields, arch);
  const tokenizer = readTokenizer(fields, config.vocabSize);
  const take = (slot: TensorSlot, name: string): Tensor => {
    const entry = found.get(name);
    if (entry === undefined)
      throw invalidInput({ file: fileName, field: `tensor "${name}"`, what: 'missing' });
    found.delete(name);
    return toTensor(slot, entry, opened[entry.file]!.file);
  };
  const beta = arch === 'deepseek2' ? readBeta(fields) : undefined;
  const tensors = new Map<string, Tensor>();
  for (const slot of plmTensors(config)) {
    const tensor = take(slot, slot.ggufName!);
    if (beta !== undefined && slot.role === 'post_attention_layernorm') {
      tensors.set(slot.name, unfoldBeta(tensor, beta));
    } else if (beta !== undefined && slot.role === 'up_proj') {
      const name = gateName(slot.ggufName!);
      const gate = take(slot, name);
      const file = opened[gate.origin.file]!.file.name;
      tensors.set(slot.name, withGate(tensor, gate, beta, { file, field: `tensor "${name}"` }));
    } else {
      tensors.set(slot.name, tensor);
    }
  }
  for (const [name, { file }] of found) {
    const where = { file: opened[file]!.file.name, field: `tensor ${JSON.stringify(name)}` };
    throw unsupported({ ...where, what: `arch ${arch} has no such tensor` });
  }
  const notes = tokenizer.normalizer === 'none' ? ['text is not normalized to NFC, as in llama.cpp'] : [];
  return {
    format: 'gguf',
    name: nameOf(fields, fileName),
    config,
    tensors,
    tokenizer,
    generation: readGeneration(fields),
    card: readCard(fields),
    weighed: fields.has('quantize.imatrix.entries_count') || fields.has(QUALITY_KEY),
    files: opened.map(({ file }) => file),
    changes: [],
    notes,
  };
}

/** Some converters write the path of the folder as the name. */
function nameOf(fields: Fields, fileName: string): string {
  const name = fields.harmless('general.name');
  return name && !holdsLocalPath(name) ? name : path.basename(fileName).replace(/\.gguf$/i, '');
}

function collectTensors(opened: readonly OpenedFile[]): Map<string, FoundTensor> {
  const found = new Map<string, FoundTensor>();
  for (const [file, { header, fields }] of opened.entries()) {
    for (const [index, info] of header.tensors.entries()) {
      if (found.has(info.name)) {
        const field = `tensor[${index}] ${JSON.stringify(info.name)}`;
        throw invalidInput({ file: fields.file, field, what: 'the tensor is also in an earlier shard' });
      }
      found.set(info.name, { info, file });
    }
  }
  return found;
}

function toTensor(slot: TensorSlot, { info, file: fileIndex }: FoundTensor, file: InputFile): Tensor {
  const where = { file: file.name, field: `tensor ${JSON.stringify(info.name)}` };
  const shape = info.dims.toReversed();
  if (shape.join() !== slot.shape.join()) {
    const expected = `[${slot.shape.join(', ')}] by the metadata`;
    throw invalidInput({ ...where, what: 'shape', got: shape, expected });
  }
  const scheme = schemeOfGgmlType(info.type);
  if (scheme === undefined) {
    throw unsupported({ ...where, what: 'ggml type', got: info.type, expected: 'a type of weights' });
  }
  return new FileTensor(file, {
    name: slot.name,
    scheme,
    shape,
    origin: { file: fileIndex, offset: info.offset },
  });
}

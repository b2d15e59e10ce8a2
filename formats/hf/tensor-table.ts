import type { PlmConfig } from '../../src/core/config.ts';
import { invalidInput, unsupported } from '../../src/core/errors.ts';
import type { SourceFile } from '../../src/core/model.ts';
import { modelTensorName, plmTensors, type TensorSlot } from '../../src/core/names.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { FileTensor } from '../../src/io/file-tensor.ts';
import type { Checkpoint, StoredTensor } from './checkpoint.ts';

export interface TensorTable {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly notes: readonly string[];
}

/**
 * Matches stored tensors, by their plain names, with those that a PLM of this geometry has: each present,
 * with its shape, in a dtype that holds weights, and none besides, but for a head that is tied. `files` is
 * what `Origin.file` indexes.
 */
export function matchTensors(
  config: PlmConfig,
  checkpoint: Checkpoint,
  files: readonly SourceFile[],
): TensorTable {
  const slots = plmTensors(config);
  const tensors = new Map<string, Tensor>();
  for (const slot of slots) {
    const tensor = checkpoint.tensors.get(slot.name);
    if (tensor === undefined) throw missing(slots, checkpoint);
    tensors.set(slot.name, bind(slot, tensor, files));
  }
  const notes: string[] = [];
  for (const [name, tensor] of checkpoint.tensors) {
    if (tensors.has(name)) continue;
    if (name === modelTensorName('lm_head')) {
      const tied = [config.vocabSize, config.hiddenSize];
      if (!sameShape(tensor.shape, tied)) throw wrongShape(tensor, tied);
      continue;
    }
    notes.push(`${tensor.name} ignored: ${reasonToIgnore(name, tensor)}`);
  }
  return { tensors, notes };
}

function bind(slot: TensorSlot, tensor: StoredTensor, files: readonly SourceFile[]): Tensor {
  const { file, name, dtype, scheme, shape } = tensor;
  // Quantized weights have other shapes too; their dtype says more.
  if (scheme === undefined) {
    const field = `tensor ${JSON.stringify(name)}: dtype`;
    throw unsupported({
      file: file.name,
      field,
      what: 'not supported',
      got: dtype,
      expected: 'F32, F16 or BF16',
    });
  }
  if (!sameShape(shape, slot.shape)) throw wrongShape(tensor, slot.shape);
  return new FileTensor(file, {
    name: slot.name,
    scheme,
    shape,
    origin: { file: files.indexOf(file), offset: tensor.offset },
  });
}

/** Buffers of rotary embeddings as older modeling code saved them. */
const ROTARY_BUFFER = /\.rotary_emb\.((original_)?inv_freq|cos_cached|sin_cached)$/;

/** Why a tensor outside the table does no harm; throws where it would. */
function reasonToIgnore(name: string, tensor: StoredTensor): string {
  if (ROTARY_BUFFER.test(name)) return 'a buffer that follows from rope_theta';
  throw invalidInput({
    file: tensor.file.name,
    field: `tensor ${JSON.stringify(tensor.name)}`,
    what: 'unexpected, a PLM of this config.json does not have it',
  });
}

function missing(slots: readonly TensorSlot[], { listedIn, tensors }: Checkpoint) {
  const known = new Set(slots.map(({ name }) => name));
  const absent = slots.filter(({ name }) => !tensors.has(name));
  const first = absent[0]!;
  const more = absent.length > 1 ? ` (and ${absent.length - 1} more)` : '';
  const other = [...tensors].find(([name]) => !known.has(name))?.[1].name;
  const found = other === undefined ? '' : `; the file has ${JSON.stringify(other)}`;
  const hint =
    first.role === 'lm_head' ? '; set tie_word_embeddings to true if the embedding is the head' : '';
  const what = `missing${more}, config.json needs it${found}${hint}`;
  return invalidInput({ file: listedIn, field: `tensor ${JSON.stringify(first.name)}`, what });
}

function wrongShape({ file, name, shape }: StoredTensor, expected: readonly number[]) {
  const field = `tensor ${JSON.stringify(name)}: shape`;
  return invalidInput({ file: file.name, field, what: 'wrong shape', got: shape, expected: `[${expected}]` });
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

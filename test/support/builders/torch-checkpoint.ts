import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { byteLength, elementCount, rowCount, type Tensor } from '../../../src/core/tensor.ts';
import {
  type ArchiveForm,
  stateDictPickle,
  type TorchTensor,
  torchArchive,
  torchParts,
} from './torch-file.ts';

const DTYPES: Readonly<Record<string, string>> = { F32: 'Float', F16: 'Half', BF16: 'BFloat16' };

export interface TorchForm {
  readonly protocol?: 2 | 4;
  /** Number of files; 1 is `pytorch_model.bin` itself. */
  readonly shards?: number;
  /** One storage of two elements more holds all tensors, which must have one dtype. */
  readonly oneStorage?: boolean;
  /** Names that share the storage of another tensor. */
  readonly shared?: Readonly<Record<string, string>>;
  readonly archive?: ArchiveForm;
  readonly parameters?: boolean;
  /** What to say of the tensor instead. */
  readonly change?: (name: string) => Partial<TorchTensor>;
}

/**
 * Writes the safetensors folder `from` to `to` with its weights as `torch.save` stores them, and returns the
 * `weight_map`.
 */
export async function writeAsTorch(
  from: string,
  to: string,
  form: TorchForm = {},
): Promise<Record<string, string>> {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (!/safetensors/.test(name)) copyFileSync(path.join(from, name), path.join(to, name));
  }
  const model = await openHfFolder(from);
  try {
    return await writeWeights(model, to, form);
  } finally {
    await closeModel(model);
  }
}

async function writeWeights(model: Model, to: string, form: TorchForm): Promise<Record<string, string>> {
  const shards = form.shards ?? 1;
  const tensors = [...model.tensors.values()];
  const weightMap: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const content = tensors.filter((_, i) => i % shards === shard);
    const name = shards === 1 ? 'pytorch_model.bin' : torchShardName(shard, shards);
    for (const tensor of content) weightMap[tensor.name] = name;
    writeFileSync(path.join(to, name), await torchFile(content, form));
  }
  if (shards > 1) writeTorchIndex(to, weightMap);
  return weightMap;
}

async function torchFile(tensors: readonly Tensor[], form: TorchForm): Promise<Buffer> {
  const contents = await Promise.all(tensors.map(weightsOf));
  const described = form.oneStorage
    ? inOneStorage(tensors)
    : tensors.map((tensor, i) => ({ ...describe(tensor, `${i}`), ...form.change?.(tensor.name) }));
  const storages = form.oneStorage
    ? new Map([['0', Buffer.concat([Buffer.alloc(4), ...contents])]])
    : new Map(contents.map((content, i) => [`${i}`, content]));
  const shared = Object.entries(form.shared ?? {}).map(([name, other]) => ({
    ...described.find((tensor) => tensor.name === other)!,
    name,
  }));
  const all = [...described, ...shared].map((tensor) => ({ ...tensor, parameter: form.parameters === true }));
  return torchArchive(torchParts(stateDictPickle(all, form.protocol), storages), form.archive).content;
}

function describe({ name, scheme, shape }: Tensor, storage: string): TorchTensor {
  return { name, dtype: DTYPES[scheme]!, shape, storage };
}

/** Behind two elements of padding. */
function inOneStorage(tensors: readonly Tensor[]): TorchTensor[] {
  const elements = tensors.reduce((sum, tensor) => sum + elementCount(tensor), 2);
  let offset = 2;
  return tensors.map((tensor) => {
    const at = offset;
    offset += elementCount(tensor);
    return { ...describe(tensor, '0'), elements, offset: at };
  });
}

export async function weightsOf(tensor: Tensor): Promise<Uint8Array> {
  const content = new Uint8Array(byteLength(tensor));
  await tensor.readRows({ first: 0, count: rowCount(tensor) }, content);
  return content;
}

export function torchShardName(shard: number, shards: number): string {
  const number = (n: number) => String(n).padStart(5, '0');
  return `pytorch_model-${number(shard + 1)}-of-${number(shards)}.bin`;
}

export function writeTorchIndex(folder: string, weightMap: unknown): void {
  const index = { metadata: { total_size: 0 }, weight_map: weightMap };
  writeFileSync(path.join(folder, 'pytorch_model.bin.index.json'), JSON.stringify(index));
}

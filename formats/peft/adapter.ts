import path from 'node:path';
import { invalidInput, type PressError, unsupported } from '../../src/core/errors.ts';
import { ADAPTER_CONFIG, type LoraAdapter, type LoraPair } from '../../src/core/lora.ts';
import { closeModel, type SourceFile } from '../../src/core/model.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { FileTensor } from '../../src/io/file-tensor.ts';
import type { InputFile } from '../../src/io/input-file.ts';
import { SourceFolder } from '../../src/io/source-folder.ts';
import { schemeOfDtype } from '../safetensors/dtype.ts';
import type { TensorEntry } from '../safetensors/header.ts';
import { readHeader } from '../safetensors/reader.ts';
import { type AdapterConfig, parseAdapterConfig } from './config.ts';
import { type AdapterPart, partOf } from './tensor-names.ts';

export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';
const PICKLE = 'adapter_model.bin';
/** Configurations are some kilobytes. */
const MAX_CONFIG_BYTES = 10_000_000;

/**
 * Opens a folder that PEFT has saved a LoRA to. Only headers are read. Close it with `closeModel`.
 * @throws PressError invalid-input and unsupported, naming file and field.
 */
export async function openAdapter(folderPath: string): Promise<LoraAdapter> {
  const folder = await SourceFolder.open(path.resolve(folderPath));
  if (!folder.has(ADAPTER_CONFIG)) throw noAdapter(folder);
  const files: SourceFile[] = [];
  try {
    const text = await folder.readText(ADAPTER_CONFIG, MAX_CONFIG_BYTES);
    files.push(text);
    const config = parseAdapterConfig(text.text, ADAPTER_CONFIG);
    if (!folder.has(ADAPTER_WEIGHTS) && folder.has(PICKLE)) {
      throw invalidInput({ file: PICKLE, what: 'pickle weights are not read; convert to safetensors first' });
    }
    const file = await folder.open(ADAPTER_WEIGHTS);
    files.push(file);
    const { tensors } = await readHeader(file);
    return { name: folder.name, pairs: pairsOf(file, tensors, config), files };
  } catch (error) {
    await closeModel({ files });
    throw error;
  }
}

/** The error for an adapter in the place of a model. `spec` is how the user named it. */
export function adapterAsSource(file: string, spec: string): PressError {
  const expected = `its base model, which ${ADAPTER_CONFIG} names, and --adapter ${spec}`;
  return invalidInput({ file, what: 'is an adapter, not a model', expected });
}

function noAdapter(folder: SourceFolder): PressError {
  const what = folder.has('config.json')
    ? 'is a model, not an adapter; convert it as the source'
    : 'no adapter in this folder';
  return invalidInput({
    file: folder.name,
    what,
    expected: `${ADAPTER_CONFIG} and ${ADAPTER_WEIGHTS} of PEFT`,
  });
}

function pairsOf(
  file: InputFile,
  entries: ReadonlyMap<string, TensorEntry>,
  config: AdapterConfig,
): Map<string, LoraPair> {
  const modules = new Map<string, Partial<Record<AdapterPart, Tensor>>>();
  for (const [name, entry] of entries) {
    const field = `tensor ${JSON.stringify(name)}`;
    const found = partOf(name);
    if (found === undefined) continue;
    if (typeof found === 'string') {
      const expected = 'A and B of matrices; or merge it with PEFT (merge_and_unload)';
      throw unsupported({ file: file.name, field, what: found, expected });
    }
    const { module, part } = found;
    const parts = modules.get(module) ?? {};
    if (parts[part] !== undefined) {
      throw invalidInput({ file: file.name, field, what: `a second ${part} of ${module}` });
    }
    parts[part] = tensorOf(file, name, entry, part, config.rankOf(module));
    modules.set(module, parts);
  }
  if (modules.size === 0) throw invalidInput({ file: file.name, what: 'contains no adapter' });
  return new Map(
    [...modules].map(([module, parts]) => [`${module}.weight`, pairOf(file, module, parts, config)]),
  );
}

function pairOf(
  file: InputFile,
  module: string,
  { a, b, lengths }: Partial<Record<AdapterPart, Tensor>>,
  { isDora, scaleOf }: AdapterConfig,
): LoraPair {
  const fault = { file: file.name, field: `adapter of ${module}.weight` };
  if (a === undefined || b === undefined) {
    throw invalidInput({ ...fault, what: `lora_${a === undefined ? 'A' : 'B'} is missing` });
  }
  if (isDora !== (lengths !== undefined)) {
    const what = `lora_magnitude_vector ${isDora ? 'is missing' : `without use_dora in ${ADAPTER_CONFIG}`}`;
    throw invalidInput({ ...fault, what });
  }
  return { a, b, scale: scaleOf(module), ...(lengths && { lengths }) };
}

function tensorOf(
  file: InputFile,
  name: string,
  { dtype, shape, offset }: TensorEntry,
  part: AdapterPart,
  rank: number,
): Tensor {
  const field = `tensor ${JSON.stringify(name)}`;
  const scheme = schemeOfDtype(dtype);
  if (scheme === undefined) {
    throw unsupported({ file: file.name, field: `${field}: dtype`, what: 'not supported', got: dtype });
  }
  const rankDimension = part === 'a' ? 0 : 1;
  const [fits, expected] =
    part === 'lengths'
      ? [shape.length === 1, 'one dimension']
      : [
          shape.length === 2 && shape[rankDimension] === rank,
          `two dimensions, ${rank} as dimension ${rankDimension}`,
        ];
  if (!fits) {
    throw invalidInput({
      file: file.name,
      field: `${field}: shape`,
      what: 'wrong value',
      got: shape,
      expected,
    });
  }
  return new FileTensor(file, { name, scheme, shape, origin: { file: 0, offset } });
}

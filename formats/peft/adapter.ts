import path from 'node:path';
import { invalidInput, unsupported } from '../../src/core/errors.ts';
import type { LoraAdapter, LoraPair } from '../../src/core/lora.ts';
import { closeModel, type SourceFile } from '../../src/core/model.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { FileTensor } from '../../src/io/file-tensor.ts';
import type { InputFile } from '../../src/io/input-file.ts';
import { SourceFolder } from '../../src/io/source-folder.ts';
import { schemeOfDtype } from '../safetensors/dtype.ts';
import type { TensorEntry } from '../safetensors/header.ts';
import { readHeader } from '../safetensors/reader.ts';
import { parseAdapterConfig } from './config.ts';

const CONFIG = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';
const PICKLE = 'adapter_model.bin';
/** Configurations are some kilobytes. */
const MAX_CONFIG_BYTES = 10_000_000;

/** `base_model.model.` is PEFT's wrapper, what follows is the name in the checkpoint. */
const NAME = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/;

/**
 * Opens a folder that PEFT has saved a LoRA to. Only headers are read. Close it with `closeModel`.
 * @throws PressError invalid-input and unsupported, naming file and field.
 */
export async function openAdapter(folderPath: string): Promise<LoraAdapter> {
  const folder = await SourceFolder.open(path.resolve(folderPath));
  const files: SourceFile[] = [];
  try {
    const text = await folder.readText(CONFIG, MAX_CONFIG_BYTES);
    files.push(text);
    const { rank, scale } = parseAdapterConfig(text.text, CONFIG);
    if (!folder.has(WEIGHTS) && folder.has(PICKLE)) {
      throw invalidInput({ file: PICKLE, what: 'pickle weights are not read; convert to safetensors first' });
    }
    const file = await folder.open(WEIGHTS);
    files.push(file);
    const { tensors } = await readHeader(file);
    return { name: folder.name, pairs: pairsOf(file, tensors, rank, scale), files };
  } catch (error) {
    await closeModel({ files });
    throw error;
  }
}

function pairsOf(
  file: InputFile,
  entries: ReadonlyMap<string, TensorEntry>,
  rank: number,
  scale: number,
): Map<string, LoraPair> {
  const halves = new Map<string, { A?: Tensor; B?: Tensor }>();
  for (const [name, entry] of entries) {
    const [, module, half] = NAME.exec(name) ?? [];
    const field = `tensor ${JSON.stringify(name)}`;
    if (module === undefined) {
      throw unsupported({
        file: file.name,
        field,
        what: 'is no part of a plain LoRA',
        expected: `${NAME.source}`,
      });
    }
    const target = `${module}.weight`;
    const found = halves.get(target) ?? {};
    found[half as 'A' | 'B'] = tensorOf(file, name, entry, half === 'A' ? 0 : 1, rank);
    halves.set(target, found);
  }
  if (halves.size === 0) throw invalidInput({ file: file.name, what: 'holds no adapter' });
  const pairs = new Map<string, LoraPair>();
  for (const [target, { A: a, B: b }] of halves) {
    if (a === undefined || b === undefined) {
      const field = `adapter of ${target}`;
      throw invalidInput({ file: file.name, field, what: `lora_${a === undefined ? 'A' : 'B'} is missing` });
    }
    pairs.set(target, { a, b, scale });
  }
  return pairs;
}

function tensorOf(
  file: InputFile,
  name: string,
  { dtype, shape, offset }: TensorEntry,
  rankDimension: number,
  rank: number,
): Tensor {
  const field = `tensor ${JSON.stringify(name)}`;
  const scheme = schemeOfDtype(dtype);
  if (scheme === undefined) {
    throw unsupported({ file: file.name, field: `${field}: dtype`, what: 'not supported', got: dtype });
  }
  if (shape.length !== 2 || shape[rankDimension] !== rank) {
    const expected = `two dimensions, ${rank} as dimension ${rankDimension}`;
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

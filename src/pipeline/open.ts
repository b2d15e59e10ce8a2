import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { openGguf } from '../../formats/gguf/import.ts';
import { siblingShardNames } from '../../formats/gguf/shards.ts';
import { hasHfWeights, isHfFolder, openHfFolder } from '../../formats/hf/import.ts';
import { isOnnxFolder } from '../../formats/onnx/import/locate.ts';
import { openOnnx } from '../../formats/onnx/import/open.ts';
import { openAdapter } from '../../formats/peft/adapter.ts';
import { isBundle } from '../../formats/webgpu/import/locate.ts';
import { openBundle } from '../../formats/webgpu/import/open.ts';
import { invalidInput, localIo, PressError, unsupported, usage } from '../core/errors.ts';
import { closeModel, type Model } from '../core/model.ts';
import { mergeLora } from '../passes/merge-lora.ts';

/** `org/name`, maybe with a revision: what the Hub calls a repository. */
const HUB_ID = /^(hf:\/\/)?[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*(@.+)?$/;

/**
 * Opens a checkpoint folder, a GGUF file, an ONNX graph, a folder with one of these, or a WebGPU bundle. Only headers are
 * read. Close the model when done with it.
 * @throws PressError local-io where nothing is there, usage where a folder holds several models, unsupported for
 * sources on the Hub, invalid-input and unsupported as the importers do.
 */
export async function openSource(spec: string): Promise<Model> {
  const stats = await statOf(spec);
  if (stats === undefined) throw missing(spec);
  if (!stats.isDirectory()) return (await isBundle(spec)) ? openBundle(spec) : openFile(spec);
  // Folders of graphs have a config.json too; those of checkpoints may have graphs beside the weights.
  if (!(await hasHfWeights(spec)) && (await isOnnxFolder(spec))) return openOnnx(spec);
  if (await isHfFolder(spec)) return openHfFolder(spec);
  return (await isBundle(spec)) ? openBundle(spec) : openGguf(await onlyGguf(spec));
}

/**
 * Opens a source for as long as `use` takes, with the adapters in the folders `adapters` merged into it, first to last.
 */
export async function withSource<T>(
  spec: string,
  use: (model: Model) => Promise<T>,
  adapters: readonly string[] = [],
): Promise<T> {
  const model = await withAdapters(await openSource(spec), adapters);
  try {
    return await use(model);
  } finally {
    await closeModel(model);
  }
}

async function withAdapters(model: Model, folders: readonly string[]): Promise<Model> {
  let merged = model;
  try {
    for (const folder of folders) merged = mergeLora(merged, await openAdapter(folder));
    return merged;
  } catch (error) {
    await closeModel(merged);
    throw error;
  }
}

async function statOf(spec: string): Promise<Stats | undefined> {
  try {
    return await stat(spec);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw localIo(spec, error);
  }
}

function missing(spec: string): PressError {
  const isHubId = spec.startsWith('hf://') || (HUB_ID.test(spec) && !spec.endsWith('.gguf'));
  if (!isHubId) return new PressError('local-io', { file: spec, what: 'no such file or folder' });
  const what = 'no such folder here, and Hub sources come with pull in a later version';
  return unsupported({ file: spec, what });
}

function openFile(file: string): Promise<Model> {
  if (/\.(safetensors|json)$/.test(file)) {
    throw usage(`${path.basename(file)} is a part of a checkpoint`, 'the folder that holds it');
  }
  return file.endsWith('.onnx') ? openOnnx(file) : openGguf(file);
}

/** The one GGUF of a folder: of a split model, its first shard. */
async function onlyGguf(folder: string): Promise<string> {
  const entries = await readdir(folder).catch((error) => {
    throw localIo(folder, error);
  });
  const names = entries.filter((name) => name.endsWith('.gguf'));
  const models = [...new Set(names.map((name) => siblingShardNames(name)?.[0] ?? name))].sort();
  const [model] = models;
  if (model === undefined) {
    const expected = 'config.json and safetensors files, a .gguf file or a bundle';
    throw invalidInput({ file: folder, what: 'no model in this folder', expected });
  }
  if (models.length > 1) {
    throw usage(`${folder} holds ${models.length} models, name one of them: ${models.join(', ')}`);
  }
  return path.join(folder, model);
}

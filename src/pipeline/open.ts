import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { openGguf, readGgufModel } from '../../formats/gguf/import.ts';
import { holdsModel } from '../../formats/gguf/kind.ts';
import { siblingShardNames } from '../../formats/gguf/shards.ts';
import { hasHfWeights, isHfFolder, readHfFolder } from '../../formats/hf/import.ts';
import { isOnnxFolder } from '../../formats/onnx/import/locate.ts';
import { openOnnx } from '../../formats/onnx/import/open.ts';
import { ADAPTER_CONFIG, adapterAsSource } from '../../formats/peft/adapter.ts';
import { isBundle } from '../../formats/webgpu/import/locate.ts';
import { openBundle } from '../../formats/webgpu/import/open.ts';
import { invalidInput, localIo, PressError, usage } from '../core/errors.ts';
import { closeModel, type Model } from '../core/model.ts';
import type { Progress } from '../core/progress.ts';
import { parseHubSource } from '../hub/hub-source.ts';
import type { HubRun } from '../hub/run.ts';
import { hubSettings } from '../hub/settings.ts';
import { SourceFolder } from '../io/source-folder.ts';
import { mergeLora } from '../passes/merge-lora.ts';
import { openAdapterAt } from './open-adapter.ts';
import { fetchFromHub, openOnHub } from './open-hub.ts';

/** Each stacks lazy tensors upon those of the one before, as passes do. */
const MAX_ADAPTERS = 100;

/** How sources are reached. */
export interface SourceAccess {
  /** Environment that tells how to reach the Hub. Default: that of the process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Read models on the Hub where they are, instead of bringing them into the cache first. */
  readonly remote?: boolean;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

/** How `withSource` opens. */
export interface SourceOptions extends SourceAccess {
  /** LoRA adapters that are merged into the source, first to last: folders of PEFT, or such on the Hub. */
  readonly adapters?: readonly string[];
}

/**
 * Opens a checkpoint folder, a GGUF file, an ONNX graph, a folder with one of these, a WebGPU bundle, or one of them on the
 * Hub. A path that exists wins over a Hub id. Only headers are read. Close the model when done with it.
 * @throws PressError local-io where nothing is there, usage where a folder holds several models, network as the
 * Hub's clients do, invalid-input and unsupported as the importers do.
 */
export async function openSource(spec: string, access: SourceAccess = {}): Promise<Model> {
  return (await openPlaced(spec, access)).model;
}

/** A model and where it is on this machine; nowhere if it is read from the Hub. */
interface PlacedModel {
  readonly model: Model;
  readonly place?: string;
}

async function openPlaced(spec: string, access: SourceAccess): Promise<PlacedModel> {
  if ((await statOf(spec)) !== undefined) return { model: await openLocal(spec), place: spec };
  const source = parseHubSource(spec);
  if (source === undefined) throw new PressError('local-io', { file: spec, what: 'no such file or folder' });
  const run = hubRun(access);
  const model = access.remote ? await openOnHub(run, source) : undefined;
  if (model !== undefined) return { model };
  const place = await fetchFromHub(run, source);
  return { model: await openLocal(place), place };
}

function hubRun({ env, progress, signal }: SourceAccess): HubRun {
  return { settings: hubSettings(env), ...(progress && { progress }), ...(signal && { signal }) };
}

async function openLocal(spec: string): Promise<Model> {
  const stats = await stat(spec);
  if (!stats.isDirectory()) return (await isBundle(spec)) ? openBundle(spec) : openFile(spec);
  // Folders of graphs have a config.json too; those of checkpoints may have graphs beside the weights.
  const folder = await SourceFolder.open(path.resolve(spec));
  if (!hasHfWeights(folder) && (await isOnnxFolder(spec))) return openOnnx(spec);
  if (!hasHfWeights(folder) && folder.has(ADAPTER_CONFIG)) throw adapterAsSource(folder.name, spec);
  // Repositories of GGUF files often keep the config.json of what they were made of.
  if (hasHfWeights(folder) || (isHfFolder(folder) && ggufNames(folder).length === 0))
    return readHfFolder(folder);
  if (await isBundle(spec)) return openBundle(spec);
  const gguf = await onlyGguf(spec, folder);
  return readGgufModel(gguf, (name) => folder.open(name));
}

/** Opens a source for as long as `use` takes, which also hears its path on this machine, if it is there. */
export async function withSource<T>(
  spec: string,
  use: (model: Model, place: string | undefined) => Promise<T>,
  { adapters = [], ...access }: SourceOptions = {},
): Promise<T> {
  const placed = await openPlaced(spec, access);
  const model = await withAdapters(placed.model, adapters, access);
  try {
    return await use(model, placed.place);
  } finally {
    await closeModel(model);
  }
}

async function withAdapters(model: Model, adapters: readonly string[], access: SourceAccess): Promise<Model> {
  let merged = model;
  try {
    if (adapters.length > MAX_ADAPTERS) throw usage(`${adapters.length} adapters`, `at most ${MAX_ADAPTERS}`);
    for (const spec of adapters) merged = mergeLora(merged, await openAdapterAt(spec, hubRun(access)));
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

function openFile(file: string): Promise<Model> {
  if (/\.(safetensors|json|bin)$/i.test(file)) {
    throw usage(`${path.basename(file)} is a part of a checkpoint`, 'the folder that holds it');
  }
  return /\.onnx$/i.test(file) ? openOnnx(file) : openGguf(file);
}

/** GGUF files of a folder, of split models the first shards. */
function ggufNames({ entries }: SourceFolder): string[] {
  const names = [...entries].filter((name) => /\.gguf$/i.test(name));
  return [...new Set(names.map((name) => siblingShardNames(name)?.[0] ?? name))].sort();
}

/** The one model among the GGUF files of a folder: of a split model, its first shard. */
async function onlyGguf(spec: string, folder: SourceFolder): Promise<string> {
  const found = ggufNames(folder);
  if (found.length === 0) {
    const expected = 'config.json and safetensors files, a .gguf file or a bundle';
    throw invalidInput({ file: spec, what: 'no model in this folder', expected });
  }
  const models = found.length === 1 ? found : await withModels(folder, found);
  if (models.length > 1) {
    throw usage(`${spec} holds ${models.length} models, name one of them: ${models.join(', ')}`);
  }
  return models[0] ?? found[0]!;
}

/** Those of `names` that are models, and no importances, adapters or projectors beside one. */
async function withModels(folder: SourceFolder, names: readonly string[]): Promise<string[]> {
  const models: string[] = [];
  for (const name of names) {
    // A shard that is missing is a fault of the model that it is of.
    const file = folder.has(name) ? await folder.open(name) : undefined;
    if (file === undefined || (await holdsModel(file))) models.push(name);
    await file?.close();
  }
  return models;
}

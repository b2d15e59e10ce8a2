import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { openGguf } from '../../formats/gguf/import.ts';
import { siblingShardNames } from '../../formats/gguf/shards.ts';
import { hasHfWeights, isHfFolder, readHfFolder } from '../../formats/hf/import.ts';
import { isOnnxFolder } from '../../formats/onnx/import/locate.ts';
import { openOnnx } from '../../formats/onnx/import/open.ts';
import { openAdapter } from '../../formats/peft/adapter.ts';
import { isBundle } from '../../formats/webgpu/import/locate.ts';
import { openBundle } from '../../formats/webgpu/import/open.ts';
import { invalidInput, localIo, usage } from '../core/errors.ts';
import { closeModel, type Model } from '../core/model.ts';
import type { Progress } from '../core/progress.ts';
import type { HubRun } from '../hub/run.ts';
import { hubSettings } from '../hub/settings.ts';
import { openTree } from '../hub/snapshot.ts';
import { SourceFolder } from '../io/source-folder.ts';
import { mergeLora } from '../passes/merge-lora.ts';
import { hubSourceOf, isAddress, neitherHereNorThere } from './missing-source.ts';
import { fetchFromHub, openOnHub } from './open-hub.ts';

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
  /** Folders of LoRA adapters that are merged into the source, first to last. */
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
  if (!isAddress(spec) && (await statOf(spec)) !== undefined) {
    return { model: await openLocal(spec), place: spec };
  }
  const { env, remote = false, ...running } = access;
  const source = await hubSourceOf(spec, env);
  const run: HubRun = { ...running, settings: hubSettings(env) };
  const tree = await openTree(run, source).catch(async (error) => {
    throw await neitherHereNorThere(spec, error);
  });
  const model = remote ? await openOnHub(run, source, tree) : undefined;
  if (model !== undefined) return { model };
  const place = await fetchFromHub(run, source, tree);
  const opened = await openLocal(place);
  const origin = { repository: tree.repository, revision: tree.revision };
  return { model: { origin, ...opened }, place };
}

async function openLocal(spec: string): Promise<Model> {
  const stats = await stat(spec);
  if (!stats.isDirectory()) return (await isBundle(spec)) ? openBundle(spec) : openFile(spec);
  // Folders of graphs have a config.json too; those of checkpoints may have graphs beside the weights.
  const folder = await SourceFolder.open(path.resolve(spec));
  if (!hasHfWeights(folder) && (await isOnnxFolder(spec))) return openOnnx(spec);
  if (isHfFolder(folder)) return readHfFolder(folder);
  if (await isBundle(spec)) return openBundle(spec);
  return openGguf(path.join(spec, onlyGguf(spec, folder)));
}

/** Opens a source for as long as `use` takes, which also hears its path on this machine, if it is there. */
export async function withSource<T>(
  spec: string,
  use: (model: Model, place: string | undefined) => Promise<T>,
  { adapters = [], ...access }: SourceOptions = {},
): Promise<T> {
  const placed = await openPlaced(spec, access);
  const model = await withAdapters(placed.model, adapters);
  try {
    return await use(model, placed.place);
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

function openFile(file: string): Promise<Model> {
  if (/\.(safetensors|json)$/.test(file)) {
    throw usage(`${path.basename(file)} is a part of a checkpoint`, 'the folder that holds it');
  }
  return file.endsWith('.onnx') ? openOnnx(file) : openGguf(file);
}

/** The one GGUF of a folder: of a split model, its first shard. */
function onlyGguf(spec: string, { entries }: SourceFolder): string {
  const names = [...entries].filter((name) => name.endsWith('.gguf'));
  const models = [...new Set(names.map((name) => siblingShardNames(name)?.[0] ?? name))].sort();
  const [model] = models;
  if (model === undefined) {
    const expected = 'config.json and safetensors files, a .gguf file or a bundle';
    throw invalidInput({ file: spec, what: 'no model in this folder', expected });
  }
  if (models.length > 1) {
    throw usage(`${spec} holds ${models.length} models, name one of them: ${models.join(', ')}`);
  }
  return model;
}

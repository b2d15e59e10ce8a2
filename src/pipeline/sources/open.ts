import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Failure, localIo, PressError, usage } from '../../core/errors.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import { closeModel, type Model } from '../../core/model.ts';
import { orFromCache } from '../../hub/cache/or-from-cache.ts';
import type { HubRun } from '../../hub/run.ts';
import { hubSettings } from '../../hub/settings.ts';
import { mergeLora } from '../../passes/merge-lora.ts';
import { assertUndamaged, heldToRecord } from '../artifacts/artifact-places.ts';
import { modelAt } from '../formats/model-at.ts';
import { isAddress } from './missing-source.ts';
import { openAdapterAt } from './open-adapter.ts';
import { assertOneModel, fetchFromHub, findOnHub, openOnHub } from './open-hub.ts';

/** Each stacks lazy tensors upon those of the one before, as passes do. */
const MAX_ADAPTERS = 100;

/** How sources are reached. */
export interface SourceAccess {
  /** Environment that tells how to reach the Hub. Default: that of the process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Read models on the Hub where they are, instead of bringing them into the cache first. */
  readonly remote?: boolean | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How `withSource` opens. */
export interface SourceOptions extends SourceAccess {
  /** LoRA adapters that are merged into the source, first to last: folders of PEFT, or such on the Hub. */
  readonly adapters?: readonly string[] | undefined;
}

/**
 * Opens a checkpoint folder, a GGUF file, an ONNX graph, a folder with one of these, a WebGPU bundle, or one
 * of them on the Hub. A path that exists wins over a Hub id. Only headers are read. Close the model when done
 * with it.
 * @throws PressError local-io where nothing is there, usage where a folder holds several models, network as
 * the Hub's clients do, invalid-input and unsupported as the importers do.
 */
export async function openSource(spec: string, access: SourceAccess = {}): Promise<Model> {
  return (await openPlaced(spec, access)).model;
}

/** A model and where it is on this machine; nowhere if it is read from the Hub. */
interface OpenedModel {
  readonly model: Model;
  readonly place?: string;
}

async function openPlaced(spec: string, access: SourceAccess): Promise<OpenedModel> {
  if (await isHere(spec)) return openLocal(spec);
  return orFromCache(hubRun(access), async (run) => {
    const found = await findOnHub(spec, run);
    const model = access.remote ? await openOnHub(found) : undefined;
    if (model !== undefined) return { model };
    assertOneModel(found);
    const opened = await openLocal(await fetchFromHub(found));
    const { repository, revision } = found.tree;
    return { ...opened, model: { origin: { repository, revision }, ...opened.model } };
  });
}

/**
 * Path on this machine of what a spec names: itself where it exists, else a copy in the cache of what is on
 * the Hub.
 * @throws PressError local-io where nothing is there, network as the Hub's clients do.
 */
export async function localPlace(spec: string, access: SourceAccess = {}): Promise<string> {
  if (await isHere(spec)) return spec;
  return orFromCache(hubRun(access), async (run) => fetchFromHub(await findOnHub(spec, run)));
}

/** A path on this machine takes precedence over the Hub. */
async function isHere(spec: string): Promise<boolean> {
  return !isAddress(spec) && (await statOf(spec)) !== undefined;
}

function hubRun({ env, progress, signal }: SourceAccess): HubRun {
  return { settings: hubSettings(env), progress, signal };
}

/**
 * Opens what is at a path. If it differs from its record, that is the error, whatever else is wrong with it.
 */
async function openLocal(place: string): Promise<Required<OpenedModel>> {
  const found = await modelAt(place);
  try {
    return { model: heldToRecord(await found.format.open(found.place), found), place: found.place };
  } catch (error) {
    if (error instanceof PressError && DAMAGE.includes(error.failure)) await assertUndamaged(found);
    throw error;
  }
}

/** Failures that damage to a file may cause. */
const DAMAGE: readonly Failure[] = ['invalid-input', 'unsupported'];

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
    for (const spec of adapters) {
      const adapter = await openAdapterAt(spec, hubRun(access));
      try {
        merged = mergeLora(merged, adapter);
      } catch (error) {
        await closeModel(adapter);
        throw error;
      }
    }
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

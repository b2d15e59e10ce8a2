import path from 'node:path';
import { chunksDigest } from '../../../calibration/chunks.ts';
import { type MomentRole, momentSites } from '../../../calibration/moments.ts';
import { statisticSources } from '../../../calibration/statistics.ts';
import {
  openStatisticsRuntime,
  type ReadingOptions,
  type StatisticsRequest,
  type StatisticsRuntime,
  weighedTokens,
} from '../../../calibration/statistics-runtime.ts';
import { planImatrix } from '../../../formats/imatrix/writer.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import type { Model } from '../../core/model.ts';
import { type StagedOutput, withStagedOutput } from '../../io/staging/staged-output.ts';
import { findStaging, removeStaging, STAGING_NAME } from '../../io/staging/staging-folder.ts';
import { ResidentStates } from '../../runtime/hidden-states.ts';
import type { LayerStatistics } from '../../runtime/layer-sums.ts';
import { openDeviceStatistics } from '../engines/webgpu-statistics.ts';
import { inputPaths } from '../sources/input-paths.ts';
import type { CalibrationText } from './calibration-text.ts';
import { type CalibrationTokens, calibrationTokens } from './calibration-tokens.ts';
import { KeptStates } from './kept-states.ts';
import { calibrationKey } from './key.ts';
import { StatisticsFile } from './statistics-file.ts';
import { WrittenLayers } from './written-layers.ts';

export { MOMENT_ROLES, type MomentRole } from '../../../calibration/moments.ts';
export type { CalibrationText } from './calibration-text.ts';

export interface CalibrateOptions {
  readonly model: Model;
  /** Path that `model` was opened from: a folder or a file. */
  readonly source?: string | undefined;
  readonly texts: readonly CalibrationText[];
  /** Paths of the texts: the output never replaces them. */
  readonly inputs?: readonly string[] | undefined;
  /** File to write; its folder is created where missing. */
  readonly output: string;
  /** Replace the file. */
  readonly force?: boolean | undefined;
  /** Most tokens of all texts. Default: all. */
  readonly maxTokens?: number | undefined;
  /**
   * Tokens of a chunk, each of which is read without a past. Default 512, or fewer where the model knows
   * fewer.
   */
  readonly contextLength?: number | undefined;
  /** Matrices, in every layer, whose inputs' second moments are gathered too. */
  readonly moments?: readonly MomentRole[] | undefined;
  /** Keep finished layers while the run lasts, and go on from those of a run that was interrupted. */
  readonly resume?: boolean | undefined;
  /**
   * Default cpu. On webgpu matrices are rounded to f16 but for those stored as Q8_0 or Q4_0, and the cache is
   * one of f16.
   */
  readonly device?: CalibrationDevice | undefined;
  /** Default: by cores, memory and model, see `defaultThreads`. Bytes do not depend on it. */
  readonly threads?: number | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where a model runs. `webgpu`: on a GPU through Dawn, where the package webgpu is installed. */
export const CALIBRATION_DEVICES = ['cpu', 'webgpu'] as const;

export type CalibrationDevice = (typeof CALIBRATION_DEVICES)[number];

export interface Calibration {
  readonly tokens: number;
  readonly chunks: number;
  readonly chunkSize: number;
  /** Time of loading and running the model. */
  readonly seconds: number;
  readonly tokensPerSecond: number;
  /** By layer: the part of the neurons of the FFN that a token sets off, on average. */
  readonly firingRates: readonly number[];
  /** Neurons by layer that no token set off. */
  readonly silentNeurons: readonly number[];
  readonly bytes: number;
  readonly sha256: string;
}

type Opening = (
  model: Model,
  request: StatisticsRequest,
  options: ReadingOptions,
) => Promise<StatisticsRuntime>;

const OPENINGS: Readonly<Record<CalibrationDevice, Opening>> = {
  cpu: openStatisticsRuntime,
  webgpu: openDeviceStatistics,
};

/**
 * Runs the model over texts, layer by layer, and writes the statistics of its activations.
 * @throws PressError usage for a context that the model does not know; invalid-input for fewer than two
 * tokens and for activations that are not finite; unsupported on webgpu for a model whose kv_b_proj a pass has
 * taken apart, and where there is no GPU; local-io where a GPU has too little memory or is lost; local-io and
 * locked as the commit protocol of src/io does.
 */
export async function calibrate(options: CalibrateOptions): Promise<Calibration> {
  const { model, output, resume = false, moments = [], device = 'cpu', signal, progress } = options;
  const tokens = await calibrationTokens(model, options.texts, options);
  for (const message of tokens.notes) progress?.({ kind: 'note', message });
  const folder = path.dirname(output);
  const staging = `${STAGING_NAME}-${path.basename(output)}`;
  const key = resume ? await calibrationKey(model, { chunks: tokens.chunks, moments, device }) : '';
  try {
    return await withStagedOutput(
      folder,
      async (staged) => {
        const calibration = await writeStatistics(staged, options, tokens, key);
        if (!resume) await removeStaging(folder, staging);
        return calibration;
      },
      { progress, staging, ...(resume && { resume: key }) },
    );
  } catch (error) {
    if (resume && signal?.aborted && (await findStaging(folder, key, staging)) === 'same') {
      progress?.({
        kind: 'note',
        message: `finished layers are kept in ${staging}: the same command continues with them`,
      });
    }
    throw error;
  }
}

/** Writes the file into its place. `key` tells the work from others. */
async function writeStatistics(
  staged: StagedOutput,
  options: CalibrateOptions,
  { chunks, chunkSize, tokens, read }: CalibrationTokens,
  key: string,
): Promise<Calibration> {
  const { model, output, force = false, moments = [], device = 'cpu', threads, signal, progress } = options;
  const name = path.basename(output);
  const plan = planImatrix(
    {
      datasets: read.map((text) => text.name),
      weights: read.map(({ weight }) => weight),
      chunks: chunks.length,
      chunkSize,
      sha256: chunksDigest(chunks),
    },
    statisticSources(model.config, moments),
  );
  const inputs = [...(await inputPaths(model, options.source)), ...(options.inputs ?? [])];
  await staged.stage([{ name, bytes: plan.bytes }], { force, inputs });
  const counted = weighedTokens(chunks);
  const file = new StatisticsFile(staged, name, plan);
  await file.begin(counted);

  const layers = model.config.numHiddenLayers;
  const states = new ResidentStates(tokens, model.config.hiddenSize);
  const kept = staged.stagingFolder === undefined ? undefined : new KeptStates(staged.stagingFolder, key);
  const written = await WrittenLayers.open(staged, name, plan.tensors, layers);
  written.keep((await kept?.load([states.values], written.count)) ?? 0);
  progress?.({ kind: 'phase', name: 'calibrate', total: tokens, unit: 'tokens' });
  const start = performance.now();
  const runtime = await OPENINGS[device](
    model,
    { chunks, moments: momentSites(moments) },
    {
      from: { states, layers: written.count },
      threads,
      signal,
      progress: wholeModel(progress, { layers, tokens, written }),
    },
  );
  try {
    while (written.count < layers) {
      const layer = written.count;
      const sums = await runtime.nextLayer();
      const content = await file.writeLayer(layer, sums);
      await kept?.save([states.values], layer + 1);
      await written.add({ layer, content, ...firingOf(sums, counted) });
    }
    await file.writeHead(await runtime.head());
  } finally {
    await runtime.close();
  }
  const seconds = (performance.now() - start) / 1000;
  const [digest] = await staged.seal(signal && { signal });
  signal?.throwIfAborted();
  await staged.publish();
  return {
    tokens,
    chunks: chunks.length,
    chunkSize,
    seconds,
    tokensPerSecond: tokens / seconds,
    firingRates: written.layers.map(({ firingRate }) => firingRate),
    silentNeurons: written.layers.map(({ silent }) => silent),
    bytes: digest!.bytes,
    sha256: digest!.sha256,
  };
}

function firingOf({ firings }: LayerStatistics, tokens: number) {
  return {
    firingRate: firings.reduce((sum, count) => sum + count, 0) / (firings.length * tokens),
    silent: firings.filter((count) => count === 0).length,
  };
}

interface WholeModel {
  readonly layers: number;
  readonly tokens: number;
  readonly written: WrittenLayers;
}

/** Converts progress within a layer to progress through the whole model. */
function wholeModel(
  progress: Progress | undefined,
  { layers, tokens, written }: WholeModel,
): Progress | undefined {
  if (progress === undefined) return undefined;
  return (event) => {
    if (event.kind !== 'advance') return progress(event);
    const { count } = written;
    const isHead = count === layers;
    const done = isHead ? tokens : Math.floor((count * tokens + event.done) / layers);
    progress({ kind: 'advance', done, item: isHead ? 'head' : `layer ${count + 1} of ${layers}` });
  };
}

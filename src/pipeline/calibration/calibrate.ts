import { createHash } from 'node:crypto';
import path from 'node:path';
import { chunksDigest } from '../../../calibration/chunks.ts';
import { type MomentRole, momentSites } from '../../../calibration/moments.ts';
import { type StatisticSource, statisticSources } from '../../../calibration/statistics.ts';
import {
  openStatisticsRuntime,
  type ReadingOptions,
  type StatisticsRequest,
  type StatisticsRuntime,
  weighedTokens,
} from '../../../calibration/statistics-runtime.ts';
import { encodeValues, type PlannedStatistic, planImatrix } from '../../../formats/imatrix/writer.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import type { Model } from '../../core/model.ts';
import { type StagedOutput, withStagedOutput } from '../../io/staging/staged-output.ts';
import { findStaging, removeStaging, STAGING_NAME } from '../../io/staging/staging-folder.ts';
import { ResidentStates } from '../../runtime/hidden-states.ts';
import type { HeadStatistics, LayerStatistics } from '../../runtime/layer-sums.ts';
import { openDeviceStatistics } from '../engines/webgpu-statistics.ts';
import { inputPaths } from '../sources/input-paths.ts';
import type { CalibrationText } from './calibration-text.ts';
import { calibrationTokens } from './calibration-tokens.ts';
import { KeptStates } from './kept-states.ts';
import { calibrationKey } from './key.ts';
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

/** Values that are encoded at once. */
const ENCODED_VALUES = 1 << 18;

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
  const { model, texts, output, force = false, resume = false, moments = [], device = 'cpu' } = options;
  const { threads, signal, progress } = options;
  const { chunks, chunkSize, tokens, read, notes } = await calibrationTokens(model, texts, options);
  for (const message of notes) progress?.({ kind: 'note', message });
  const plan = planImatrix(
    {
      datasets: read.map(({ name }) => name),
      weights: read.map(({ weight }) => weight),
      chunks: chunks.length,
      chunkSize,
      sha256: chunksDigest(chunks),
    },
    statisticSources(model.config, moments),
  );
  const name = path.basename(output);
  const folder = path.dirname(output);
  const staging = `${STAGING_NAME}-${name}`;
  const key = resume ? await calibrationKey(model, { chunks, moments, device }) : '';
  const layers = model.config.numHiddenLayers;
  const counted = weighedTokens(chunks);

  const write = async (staged: StagedOutput): Promise<Calibration> => {
    const sources = [...(await inputPaths(model, options.source)), ...(options.inputs ?? [])];
    await staged.stage([{ name, bytes: plan.bytes }], { force, inputs: sources });
    await staged.write(name, plan.header, 0);
    for (const tensor of plan.tensors.filter(({ slot }) => slot === undefined)) {
      await writeTensor(staged, name, tensor, [counted]);
    }
    const states = new ResidentStates(tokens, model.config.hiddenSize);
    const kept = staged.stagingFolder === undefined ? undefined : new KeptStates(staged.stagingFolder, key);
    const written = await WrittenLayers.open(staged, name, plan.tensors, layers);
    const done = (await kept?.load([states.values], written.count)) ?? 0;
    written.keep(done);

    progress?.({ kind: 'phase', name: 'calibrate', total: tokens, unit: 'tokens' });
    const start = performance.now();
    const runtime = await OPENINGS[device](
      model,
      { chunks, moments: momentSites(moments) },
      {
        from: { states, layers: done },
        threads,
        signal,
        progress: wholeModel(progress, { layers, tokens, written }),
      },
    );
    try {
      while (written.count < layers) {
        const layer = written.count;
        const sums = await runtime.nextLayer();
        const tensors = plan.tensors.filter(({ slot }) => slot?.layer === layer);
        const hash = createHash('sha256');
        for (const tensor of tensors) {
          const values = (tensor.slot!.values as (sums: LayerStatistics) => Values)(sums);
          await writeTensor(staged, name, tensor, values, hash);
        }
        const { firings } = sums;
        await kept?.save([states.values], layer + 1);
        await written.add({
          layer,
          content: hash.digest('hex'),
          firingRate: firings.reduce((sum, count) => sum + count, 0) / (firings.length * counted),
          silent: firings.filter((count) => count === 0).length,
        });
      }
      const head = await runtime.head();
      for (const tensor of plan.tensors.filter(
        ({ slot }) => slot !== undefined && slot.layer === undefined,
      )) {
        await writeTensor(
          staged,
          name,
          tensor,
          (tensor.slot!.values as (sums: HeadStatistics) => Values)(head),
        );
      }
    } finally {
      await runtime.close();
    }
    const seconds = (performance.now() - start) / 1000;
    const [digest] = await staged.seal(signal && { signal });
    signal?.throwIfAborted();
    await staged.publish();
    if (!resume) await removeStaging(folder, staging);
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
  };
  try {
    return await withStagedOutput(folder, write, { progress, staging, ...(resume && { resume: key }) });
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

interface Way {
  readonly layers: number;
  readonly tokens: number;
  readonly written: WrittenLayers;
}

/** Makes of tokens that have gone through one layer the part of all that have gone through the model. */
function wholeModel(progress: Progress | undefined, { layers, tokens, written }: Way): Progress | undefined {
  if (progress === undefined) return undefined;
  return (event) => {
    if (event.kind !== 'advance') return progress(event);
    const { count } = written;
    const isHead = count === layers;
    const done = isHead ? tokens : Math.floor((count * tokens + event.done) / layers);
    progress({ kind: 'advance', done, item: isHead ? 'head' : `layer ${count + 1} of ${layers}` });
  };
}

type Values = Float64Array | Uint16Array | readonly number[];

/** Values are encoded piece by piece: second moments are large. */
async function writeTensor(
  output: StagedOutput,
  file: string,
  { name, offset }: PlannedStatistic<StatisticSource>,
  values: Values,
  hash?: { update(bytes: Uint8Array): void },
): Promise<void> {
  for (let first = 0; first < values.length; first += ENCODED_VALUES) {
    const end = first + ENCODED_VALUES;
    const piece = 'subarray' in values ? values.subarray(first, end) : values.slice(first, end);
    const bytes = encodeValues(name, piece, first);
    hash?.update(bytes);
    await output.write(file, bytes, offset + 4 * first);
  }
}

import path from 'node:path';
import { type Chunk, chunkSize, collectStatistics, cutChunks } from '../../calibration/collect.ts';
import { type MomentRole, momentGroups } from '../../calibration/moments.ts';
import { momentSlots, type StatisticSource, sumSlots } from '../../calibration/statistics.ts';
import { encodeValues, type PlannedStatistic, planImatrix } from '../../formats/imatrix/writer.ts';
import { invalidInput } from '../core/errors.ts';
import type { Progress } from '../core/jobs/progress.ts';
import type { Model } from '../core/model.ts';
import { type StagedOutput, withStagedOutput } from '../io/staging/staged-output.ts';
import { machine } from '../kernels/machine.ts';
import { Tokenizer } from '../tokenizer/tokenizer.ts';
import { CalibrationKeeper } from './calibration-keeper.ts';
import { openDeviceStatistics } from './engines/webgpu-statistics.ts';
import { inputPaths } from './sources/input-paths.ts';
import { encodeTexts } from './sources/read-text.ts';

export { MOMENT_ROLES, type MomentRole } from '../../calibration/moments.ts';

export interface CalibrationText {
  /** Its name in the statistics. */
  readonly name: string;
  readonly text: string;
  /** The weight of each of its tokens. Default 1. */
  readonly weight?: number;
}

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
  /**
   * Limit of the sums of second moments in memory, in bytes; the texts are read again for the rest. Default:
   * 256 MiB, or a quarter of the memory if that is less.
   */
  readonly momentBytes?: number | undefined;
  /**
   * Keep the sums beside the output while the run lasts, and go on from those of a run that was interrupted.
   */
  readonly resume?: boolean | undefined;
  /**
   * Default cpu. On webgpu matrices are rounded to f16 but for those stored as Q8_0 or Q4_0, the cache is one
   * of f16, and there are no second moments.
   */
  readonly device?: CalibrationDevice | undefined;
  /** Default: by cores, memory and model, see `defaultThreads`. Bytes do not depend on it. */
  readonly threads?: number | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_MOMENT_BYTES = 256 << 20;
/** Share of the memory that the sums may take by default. */
const MOMENTS_SHARE = 1 / 4;
/** Where a model runs. `webgpu`: on a GPU through Dawn, where the package webgpu is installed. */
export const CALIBRATION_DEVICES = ['cpu', 'webgpu'] as const;

export type CalibrationDevice = (typeof CALIBRATION_DEVICES)[number];

/** Values that are encoded at once. */
const ENCODED_VALUES = 1 << 18;

export interface Calibration {
  readonly tokens: number;
  readonly chunks: number;
  readonly chunkSize: number;
  /** Times that the texts were read. */
  readonly readings: number;
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

/**
 * Runs the model over texts and writes the statistics of its activations.
 * @throws PressError usage for a context that the model does not know; invalid-input for fewer than two
 * tokens and for activations that are not finite; unsupported on webgpu for second moments, a model whose
 * kv_b_proj a pass has taken apart, and where there is no GPU; local-io and locked as the commit protocol of
 * src/io does.
 */
export async function calibrate(options: CalibrateOptions): Promise<Calibration> {
  const { model, texts, output, force = false, threads, signal, progress, moments = [] } = options;
  const { device = 'cpu' } = options;
  const encoded = await encodeAll(model, texts, options.maxTokens ?? Infinity, signal);
  const size = options.contextLength ?? chunkSize(model);
  const chunks = encoded.flatMap((text) => cutChunks(text, size));
  const tokens = encoded.reduce((sum, { ids }) => sum + ids.length, 0);
  if (tokens < 2) throw invalidInput({ what: 'tokens of text', got: tokens, expected: 'at least 2' });
  const read = encoded.filter(({ ids }) => ids.length > 0);
  const groups = momentGroups(model.config, moments, options.momentBytes ?? defaultMomentBytes());
  const plan = planImatrix(
    {
      datasets: read.map(({ name }) => name),
      weights: read.map(({ weight }) => weight),
      chunks: chunks.length,
      chunkSize: size,
    },
    [...sumSlots(model.config), ...momentSlots(groups)],
  );
  const name = path.basename(output);
  // Devices round differently; that of a run without one is the CPU.
  const inputs = JSON.stringify({ chunks, groups, ...(device !== 'cpu' && { device }) });
  const keeper = new CalibrationKeeper({ model, output, inputs });

  const running = {
    contextLength: size,
    threads,
    signal,
    progress,
  };

  const write = async (staged: StagedOutput) => {
    const sources = [...(await inputPaths(model, options.source)), ...(options.inputs ?? [])];
    await staged.stage([{ name, bytes: plan.bytes }], { force, inputs: sources });
    await staged.write(name, plan.header, 0);
    const start = performance.now();
    let firings: readonly Float64Array[] = [];
    await collectStatistics(
      model,
      chunks,
      {
        ...running,
        readings: groups,
        ...(options.resume && { keeper: (reading) => keeper.reading(reading) }),
        ...(device === 'webgpu' && { open: (request) => openDeviceStatistics(model, request, running) }),
      },
      async (sums, reading) => {
        for (const tensor of plan.tensors.filter(({ slot }) => (slot?.reading ?? 0) === reading)) {
          await writeTensor(staged, name, tensor, tensor.slot?.values(sums) ?? [sums.tokens]);
        }
        firings = sums.layers.map((layer) => layer.firings);
      },
    );
    const seconds = (performance.now() - start) / 1000;
    const [digest] = await staged.seal(signal && { signal });
    signal?.throwIfAborted();
    await staged.publish();
    await keeper.remove();
    const counted = encoded.reduce((sum, { ids, weight }) => sum + weight * ids.length, 0);
    return {
      tokens,
      chunks: chunks.length,
      chunkSize: size,
      readings: groups.length,
      seconds,
      tokensPerSecond: (groups.length * tokens) / seconds,
      firingRates: firings.map((counts) => counts.reduce((a, b) => a + b, 0) / (counts.length * counted)),
      silentNeurons: firings.map((counts) => counts.filter((count) => count === 0).length),
      bytes: digest!.bytes,
      sha256: digest!.sha256,
    };
  };
  try {
    return await withStagedOutput(path.dirname(output), write, { progress });
  } catch (error) {
    if (options.resume && signal?.aborted && (await keeper.hasKept())) {
      progress?.({ kind: 'note', message: 'the sums so far are kept: the same command continues with them' });
    }
    throw error;
  }
}

function defaultMomentBytes(): number {
  return Math.min(DEFAULT_MOMENT_BYTES, Math.floor(machine().memory * MOMENTS_SHARE));
}

/** Values are encoded piece by piece: second moments are large. */
async function writeTensor(
  output: StagedOutput,
  file: string,
  { name, offset }: PlannedStatistic<StatisticSource>,
  values: Float64Array | Uint16Array | readonly number[],
): Promise<void> {
  for (let first = 0; first < values.length; first += ENCODED_VALUES) {
    const end = first + ENCODED_VALUES;
    const piece = 'subarray' in values ? values.subarray(first, end) : values.slice(first, end);
    await output.write(file, encodeValues(name, piece, first), offset + 4 * first);
  }
}

type EncodedText = Chunk & { readonly name: string };

async function encodeAll(
  model: Model,
  texts: readonly CalibrationText[],
  maxTokens: number,
  signal: AbortSignal | undefined,
): Promise<EncodedText[]> {
  const tokenizer = new Tokenizer(model.tokenizer);
  const encoded: EncodedText[] = [];
  let left = maxTokens;
  for (const { name, text, weight = 1 } of texts) {
    const ids = await encodeTexts(tokenizer, [text], left, signal);
    left -= ids.length;
    encoded.push({ name, ids, weight });
  }
  return encoded;
}

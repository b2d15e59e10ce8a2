import type { Progress } from '../src/core/jobs/progress.ts';
import type { Model } from '../src/core/model.ts';
import type { ActivationStatistics, StatisticsRequest } from '../src/runtime/activation-sums.ts';
import { PlmRuntime, type RuntimeOptions } from '../src/runtime/plm-runtime.ts';

/** Tokens that llama-imatrix reads at once. */
const DEFAULT_CHUNK = 512;

export function chunkSize({ config }: Model, wanted = DEFAULT_CHUNK): number {
  return Math.min(wanted, config.maxPositionEmbeddings);
}

/** Tokens that are read without a past. */
export interface Chunk {
  readonly ids: readonly number[];
  /** How often each of them counts. */
  readonly weight: number;
}

/** Cuts a text into chunks; its last may be shorter, as none goes on into the next text. */
export function cutChunks({ ids, weight }: Chunk, size: number): Chunk[] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ({
    ids: ids.slice(i * size, (i + 1) * size),
    weight,
  }));
}

/** Keeps sums outside the process, so that an interrupted run goes on where it was. */
export interface SumsKeeper {
  /**
   * Fills the buffers with what has been kept; returns how many chunks it covers, 0 where nothing has been
   * kept.
   */
  load(buffers: readonly Uint8Array[]): Promise<number>;
  /** Told after every chunk, with all sums so far. */
  chunkDone(buffers: readonly Uint8Array[], chunks: number): Promise<void>;
}

/** What runs a model and sums up its activations: the reference runtime, or a GPU. */
export type StatisticsRuntime = Pick<
  PlmRuntime,
  'beginReading' | 'reset' | 'weighTokens' | 'forward' | 'statistics' | 'statisticsState' | 'close'
>;

export interface CollectOptions extends Omit<RuntimeOptions, 'statistics' | 'attention'> {
  /** Second moments that are wanted, by reading of all chunks. Default: one reading without any. */
  readonly readings?: StatisticsRequest['readings'];
  /** Of each reading. */
  readonly keeper?: (reading: number) => SumsKeeper;
  /** Default: opens the reference runtime. */
  readonly open?: (request: StatisticsRequest) => Promise<StatisticsRuntime>;
}

/**
 * Runs a model over chunks of text, sums up its activations and hands the sums of every reading to `use`,
 * which must be done with them before it returns. Logits are never computed.
 */
export async function collectStatistics(
  model: Model,
  chunks: readonly Chunk[],
  { readings = [[]], keeper, open, ...options }: CollectOptions,
  use: (sums: ActivationStatistics, reading: number) => void | Promise<void>,
): Promise<void> {
  const tokens = chunks.reduce((sum, { ids }) => sum + ids.length, 0);
  // One runtime for all: its memory would outlive it until the next garbage collection.
  const statistics = { tokens, readings };
  const runtime = await (open?.(statistics) ??
    PlmRuntime.open(model, { ...options, statistics, attention: 'latent' }));
  try {
    for (const reading of readings.keys()) {
      const name = reading === 0 ? 'calibrate' : `second moments ${reading + 1} of ${readings.length}`;
      options.progress?.({ kind: 'phase', name, total: tokens, unit: 'tokens' });
      runtime.beginReading(reading);
      await read(runtime, chunks, options.progress, keeper?.(reading));
      await use(runtime.statistics(), reading);
    }
  } finally {
    await runtime.close();
  }
}

async function read(
  runtime: StatisticsRuntime,
  chunks: readonly Chunk[],
  progress: Progress | undefined,
  keeper: SumsKeeper | undefined,
): Promise<void> {
  const kept = (await keeper?.load(runtime.statisticsState())) ?? 0;
  let done = 0;
  for (const [index, { ids, weight }] of chunks.entries()) {
    if (index >= kept) {
      runtime.reset();
      runtime.weighTokens(weight);
      await runtime.forward(ids);
      await keeper?.chunkDone(runtime.statisticsState(), index + 1);
    }
    done += ids.length;
    progress?.({ kind: 'advance', done });
  }
}

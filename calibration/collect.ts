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
  /** Fills the buffers with what has been kept; returns how many chunks it covers, 0 where nothing has been kept. */
  load(buffers: readonly Uint8Array[]): Promise<number>;
  /** Told after every chunk, with all sums so far. */
  chunkDone(buffers: readonly Uint8Array[], chunks: number): Promise<void>;
}

export interface CollectOptions extends Omit<RuntimeOptions, 'statistics' | 'attention'> {
  readonly moments?: StatisticsRequest['moments'];
  readonly keeper?: SumsKeeper;
  /** What the work is called. */
  readonly phase?: string;
}

/**
 * Runs a model over chunks of text, sums up its activations and hands the sums to `use`. Logits are never computed.
 */
export async function collectStatistics<T>(
  model: Model,
  chunks: readonly Chunk[],
  { moments = [], keeper, phase = 'calibrate', ...options }: CollectOptions,
  use: (sums: ActivationStatistics) => T | Promise<T>,
): Promise<T> {
  const total = chunks.reduce((sum, { ids }) => sum + ids.length, 0);
  const statistics = { tokens: total, moments };
  const runtime = await PlmRuntime.open(model, { ...options, statistics, attention: 'latent' });
  try {
    const kept = (await keeper?.load(runtime.statisticsState())) ?? 0;
    options.progress?.({ kind: 'phase', name: phase, total, unit: 'tokens' });
    let done = 0;
    for (const [index, { ids, weight }] of chunks.entries()) {
      if (index >= kept) {
        runtime.reset();
        runtime.weighTokens(weight);
        await runtime.forward(ids);
        await keeper?.chunkDone(runtime.statisticsState(), index + 1);
      }
      done += ids.length;
      options.progress?.({ kind: 'advance', done });
    }
    return await use(runtime.statistics());
  } finally {
    await runtime.close();
  }
}

import type { Progress } from '../core/jobs/progress.ts';
import type { Model } from '../core/model.ts';
import { LayeredRuntime } from './layered-runtime.ts';

export interface StreamOptions {
  /** Default: `defaultThreads`. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/** Logits after each of a few tokens, one at least, with the weights of one layer in memory at a time. */
export async function streamedLogits(
  model: Model,
  ids: readonly number[],
  { threads, signal, progress }: StreamOptions,
): Promise<Float32Array[]> {
  const layers = model.config.numHiddenLayers;
  progress?.({ kind: 'phase', name: 'self-test', total: layers + 1 });
  const runtime = await LayeredRuntime.open(model, [{ ids }], { threads, signal });
  try {
    while (runtime.layers < layers) {
      await runtime.nextLayer();
      progress?.({ kind: 'advance', done: runtime.layers, item: `layer ${runtime.layers}` });
    }
    const rows: Float32Array[] = [];
    for await (const row of runtime.logits()) rows.push(row.slice());
    return rows;
  } finally {
    await runtime.close();
  }
}

/** Bytes of working memory that `streamedLogits` takes for so many tokens. */
export function streamedBytes(model: Model, tokens: number): number {
  return LayeredRuntime.memoryBytes(model, [{ ids: { length: tokens } }]);
}

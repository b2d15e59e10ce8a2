import type { Model } from '../src/core/model.ts';
import type { ActivationStatistics } from '../src/runtime/activation-sums.ts';
import { PlmRuntime, type RuntimeOptions } from '../src/runtime/plm-runtime.ts';

/** Tokens that llama-imatrix reads at once. */
const DEFAULT_CHUNK = 512;

export function chunkSize({ config }: Model, wanted = DEFAULT_CHUNK): number {
  return Math.min(wanted, config.maxPositionEmbeddings);
}

/** Cuts texts into chunks; none goes on from one text into the next, so the last of a text may be shorter. */
export function cutChunks(texts: readonly (readonly number[])[], size: number): (readonly number[])[] {
  return texts.flatMap((ids) =>
    Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ids.slice(i * size, (i + 1) * size)),
  );
}

/** Runs a model over chunks of text, each without a past, and sums up its activations. Logits are never computed. */
export async function collectStatistics(
  model: Model,
  chunks: readonly (readonly number[])[],
  options: RuntimeOptions,
): Promise<ActivationStatistics> {
  const runtime = await PlmRuntime.open(model, { ...options, statistics: true, attention: 'latent' });
  try {
    const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    options.progress?.({ kind: 'phase', name: 'calibrate', total, unit: 'tokens' });
    let done = 0;
    for (const chunk of chunks) {
      runtime.reset();
      await runtime.forward(chunk);
      done += chunk.length;
      options.progress?.({ kind: 'advance', done });
    }
    return runtime.statistics();
  } finally {
    await runtime.close();
  }
}

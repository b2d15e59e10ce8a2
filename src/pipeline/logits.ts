import { usage } from '../core/errors.ts';
import type { Progress } from '../core/jobs/progress.ts';
import type { Model } from '../core/model.ts';
import { type AttentionForm, type FfnForm, PlmRuntime } from '../runtime/plm-runtime.ts';

export type { AttentionForm, FfnForm } from '../runtime/plm-runtime.ts';

export interface LogitsOptions {
  readonly attention?: AttentionForm;
  readonly ffn?: FfnForm;
  /** Default: by cores, memory and model, see `defaultThreads`. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/**
 * Logits after each of `ids`, vocabSize values per row, padding rows of the embedding included. A row is a
 * view that holds until the next one is asked for.
 * @throws PressError usage for no ids, for more than the model's context and for ids beyond the embedding.
 */
export async function* logits(
  model: Model,
  ids: readonly number[],
  options: LogitsOptions = {},
): AsyncGenerator<Float32Array, void> {
  const { maxPositionEmbeddings: context, vocabSize } = model.config;
  if (ids.length === 0) throw usage('no token ids');
  if (ids.length > context) throw usage(`${ids.length} ids`, `at most ${context}, the context of the model`);
  const unknown = ids.find((id) => id >= vocabSize);
  if (unknown !== undefined)
    throw usage(`token id ${unknown}`, `below ${vocabSize}, the rows of the embedding`);
  const runtime = await PlmRuntime.open(model, { ...options, contextLength: ids.length });
  try {
    yield* runtime.logits(ids);
  } finally {
    await runtime.close();
  }
}

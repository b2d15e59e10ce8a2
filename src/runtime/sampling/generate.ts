import type { PlmRuntime } from '../plm-runtime.ts';
import type { Sampler } from './sampler.ts';

export interface GenerateOptions {
  readonly sampler: Sampler;
  /** Most tokens to generate. */
  readonly maxTokens: number;
  /** Tokens that end the text; they are not part of it. */
  readonly stopTokenIds: readonly number[];
  /** Tokens that have a text. Rows of the embedding beyond them are padding and never picked. */
  readonly tokenCount: number;
}

/** Why a text ended: a stop token, `maxTokens`, or no position left in the context. */
export type EndReason = 'stop' | 'length' | 'context';

/** Continues `prompt`, one token at least, after what the runtime already holds. Yields ids as they come. */
export async function* generate(
  runtime: Pick<PlmRuntime, 'next' | 'position' | 'contextLength'>,
  prompt: readonly number[],
  options: GenerateOptions,
): AsyncGenerator<number, EndReason> {
  const { sampler, maxTokens, stopTokenIds, tokenCount } = options;
  const seen = new Set(prompt);
  let fresh = prompt;
  for (let count = 0; count < maxTokens; count++) {
    if (runtime.position + fresh.length > runtime.contextLength && count > 0) return 'context';
    const logits = await runtime.next(fresh);
    const id = sampler.pick(logits.subarray(0, tokenCount), seen);
    if (stopTokenIds.includes(id)) return 'stop';
    yield id;
    seen.add(id);
    fresh = [id];
  }
  return 'length';
}

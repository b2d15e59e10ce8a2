import { usage } from '../core/errors.ts';
import type { Progress } from '../core/jobs/progress.ts';
import type { Model } from '../core/model.ts';
import { type AttentionForm, type FfnForm, PlmRuntime } from '../runtime/plm-runtime.ts';
import { type EndReason, generate as generateIds } from '../runtime/sampling/generate.ts';
import { Sampler, type SamplerOptions } from '../runtime/sampling/sampler.ts';
import { StreamDecoder } from '../tokenizer/stream-decoder.ts';
import { Tokenizer } from '../tokenizer/tokenizer.ts';

export type { FfnForm } from '../runtime/plm-runtime.ts';
export type { SamplerOptions } from '../runtime/sampling/sampler.ts';

export interface GenerateOptions {
  /** The text of special tokens in it is taken for the tokens. */
  readonly prompt: string;
  /** Most tokens to generate. */
  readonly maxTokens: number;
  /**
   * Choices that differ from the model's own generation config. Where neither makes any, the likeliest token
   * is taken.
   */
  readonly sampler?: SamplerOptions;
  readonly attention?: AttentionForm;
  readonly ffn?: FfnForm;
  /** Default: by cores, memory and model, see `defaultThreads`. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
  /** Takes text as it comes, in whole characters. Returning false ends the generation. */
  readonly onText?: (text: string) => Promise<boolean>;
}

/** Why a text ended; `cancelled` where `onText` wanted no more. */
export type StopReason = EndReason | 'cancelled';

export interface Generation {
  readonly promptIds: readonly number[];
  readonly ids: readonly number[];
  /** Without special tokens. */
  readonly text: string;
  readonly stopReason: StopReason;
  /** Of generated tokens, the time for the prompt included. */
  readonly tokensPerSecond: number;
  /** Bytes of the KV cache that a token takes. */
  readonly kvBytesPerToken: number;
  /**
   * Share of the FFN's weights that a token reads, averaged over prompt and text; below 1 with
   * `ffn: 'sparse'`.
   */
  readonly ffnReadShare: number;
}

/**
 * Continues a prompt with the reference runtime.
 * @throws PressError usage for an empty prompt and for one that leaves no position of the context.
 */
export async function generate(model: Model, options: GenerateOptions): Promise<Generation> {
  const { prompt, maxTokens, attention, ffn, threads, signal, progress } = options;
  const tokenizer = new Tokenizer(model.tokenizer);
  const promptIds = tokenizer.encode(prompt, { special: true });
  const context = model.config.maxPositionEmbeddings;
  if (promptIds.length === 0) throw usage('the prompt is empty');
  if (promptIds.length > context) {
    throw usage(`the prompt has ${promptIds.length} tokens`, `at most ${context}, the context of the model`);
  }
  const choices = samplerOptions(model, options.sampler);
  if (
    choices.temperature === 0 &&
    Object.keys(options.sampler ?? {}).some((name) => name !== 'temperature')
  ) {
    const message =
      'the likeliest token is always taken: only a temperature above 0 samples, by seed, top-k and top-p';
    progress?.({ kind: 'note', message });
  }
  const sampler = new Sampler(choices);
  const runtime = await PlmRuntime.open(model, {
    contextLength: Math.min(context, promptIds.length + maxTokens),
    ...(attention !== undefined && { attention }),
    ...(ffn !== undefined && { ffn }),
    threads,
    signal,
    progress,
  });
  try {
    const start = performance.now();
    const tokens = generateIds(runtime, promptIds, {
      sampler,
      maxTokens,
      stopTokenIds: model.tokenizer.stopTokenIds,
      tokenCount: model.tokenizer.tokens.length,
    });
    const result = await collectText(tokens, tokenizer, options.onText);
    const seconds = (performance.now() - start) / 1000;
    const { kvBytesPerToken, ffnReadShare } = runtime;
    const tokensPerSecond = result.ids.length / seconds;
    return { promptIds, ...result, tokensPerSecond, kvBytesPerToken, ffnReadShare };
  } finally {
    await runtime.close();
  }
}

/** Greedy, as Transformers is, where neither the model nor the caller says how to choose. */
function samplerOptions({ generation }: Model, asked: SamplerOptions = {}): SamplerOptions {
  const options = { ...generation, ...asked };
  const { temperature, topK, topP, minP } = options;
  const isOpen = [temperature, topK, topP, minP].every((value) => value === undefined);
  return isOpen ? { ...options, temperature: 0 } : options;
}

async function collectText(
  tokens: AsyncGenerator<number, EndReason>,
  tokenizer: Tokenizer,
  onText: GenerateOptions['onText'],
): Promise<Pick<Generation, 'ids' | 'text' | 'stopReason'>> {
  const decoder = new StreamDecoder(tokenizer, { skipSpecial: true });
  const ids: number[] = [];
  let text = '';
  const emit = async (piece: string): Promise<boolean> => {
    text += piece;
    return piece === '' || onText === undefined || onText(piece);
  };
  for (;;) {
    const next = await tokens.next();
    if (next.done) {
      await emit(decoder.end());
      return { ids, text, stopReason: next.value };
    }
    ids.push(next.value);
    if (!(await emit(decoder.push(next.value)))) return { ids, text, stopReason: 'cancelled' };
  }
}

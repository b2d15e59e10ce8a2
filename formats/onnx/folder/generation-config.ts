import type { GenerationConfig, Model } from '../../../src/core/model.ts';
import { jsonText } from './json-text.ts';
import { tokenIdFields } from './token-ids.ts';

/** generation_config.json: sampling defaults, and every token that ends a generation. */
export function generationConfigText({
  generation,
  tokenizer,
}: Pick<Model, 'generation' | 'tokenizer'>): string {
  return jsonText({
    ...tokenIdFields(tokenizer),
    do_sample: samples(generation),
    temperature: generation.temperature,
    top_k: generation.topK,
    top_p: generation.topP,
    min_p: generation.minP,
    repetition_penalty: generation.repetitionPenalty,
  });
}

/**
 * Whether sampling defaults ask for sampling at all. Runtimes choose greedily unless `do_sample` is true, and
 * a temperature of 0 means to choose greedily.
 */
export function samples({ temperature, topK, topP, minP }: GenerationConfig): boolean {
  if (temperature === 0) return false;
  return [temperature, topK, topP, minP].some((value) => value !== undefined);
}

import { parseJson } from '../../src/core/json.ts';
import type { GenerationConfig } from '../../src/core/model.ts';
import { tokenIds } from './config.ts';

/** generation_config.json: sampling defaults and the ids that end a generation. */
export interface HfGeneration {
  readonly sampling: GenerationConfig;
  readonly eosTokenIds: readonly number[];
}

export function parseGeneration(text: string, file: string): HfGeneration {
  const config = parseJson(text, file);
  const between = (key: string, min: number, max: number) => {
    const field = config.at(key).optional();
    const value = field?.number();
    if (value !== undefined && (value < min || value > max)) {
      throw field!.unexpected(max === Infinity ? `at least ${min}` : `${min} to ${max}`);
    }
    return value;
  };
  const sampling = {
    temperature: between('temperature', 0, Infinity),
    topK: config.at('top_k').optional()?.integer(0),
    topP: between('top_p', 0, 1),
    minP: between('min_p', 0, 1),
    repetitionPenalty: between('repetition_penalty', 0, Infinity),
  };
  return {
    sampling: Object.fromEntries(Object.entries(sampling).filter(([, value]) => value !== undefined)),
    eosTokenIds: tokenIds(config.at('eos_token_id')),
  };
}

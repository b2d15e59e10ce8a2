import { parseJson } from '../../src/core/json/json.ts';
import type { JsonField } from '../../src/core/json/json-field.ts';
import type { GenerationConfig } from '../../src/core/model.ts';
import { tokenIds } from './config.ts';

/** generation_config.json: sampling defaults and the ids that end a generation. */
export interface HfGeneration {
  readonly sampling: GenerationConfig;
  readonly eosTokenIds: readonly number[];
  readonly notes: readonly string[];
}

/** What a folder without generation_config.json says. */
export const NO_GENERATION: HfGeneration = { sampling: {}, eosTokenIds: [], notes: [] };

/** What Transformers samples with where a file says that it samples and not how. */
const DEFAULT_TEMPERATURE = 1;
const DEFAULT_TOP_K = 50;

/**
 * Reads generation_config.json as Transformers does: choices among tokens count where `do_sample` is true,
 * and without it the likeliest token is taken, which is a temperature of 0 here. A file that says nothing of
 * either leaves it open. Throws `invalid-input` for values out of range, and for numbers that f32 does not
 * hold, as artifacts do.
 */
export function parseGeneration(text: string, file: string): HfGeneration {
  const config = parseJson(text, file);
  const temperature = choice(config.at('temperature'), 'at least 0', (value) => value >= 0);
  const topK = config.at('top_k').optional()?.integer(0);
  const topP = choice(config.at('top_p'), '0 to 1', isShare);
  const minP = choice(config.at('min_p'), '0 to 1', isShare);
  const repetitionPenalty = choice(config.at('repetition_penalty'), 'above 0', (value) => value > 0);
  const samples = config.at('do_sample').optional()?.boolean();

  const choices = { temperature, topK, topP, minP };
  const given = Object.values(choices).some((value) => value !== undefined);
  const notes: string[] = [];
  let chosen: GenerationConfig = {};
  if (samples) {
    // What a file leaves out beside a temperature stays open, so that artifacts hold what the file says.
    const defaults = temperature === undefined && { temperature: DEFAULT_TEMPERATURE, topK: DEFAULT_TOP_K };
    chosen = { ...defaults, ...withoutUndefined(choices) };
  } else if (given || samples === false) {
    chosen = { temperature: 0 };
    const ignored = ['temperature', 'top_k', 'top_p', 'min_p'].filter(
      (key) => config.at(key).optional() !== undefined && config.at(key).value !== 0,
    );
    if (ignored.length > 0)
      notes.push(`${file}: ${ignored.join(', ')} ignored, because do_sample is not true`);
  }
  return {
    sampling: withoutUndefined({ ...chosen, repetitionPenalty }),
    eosTokenIds: tokenIds(config.at('eos_token_id')),
    notes,
  };
}

function choice(field: JsonField, expected: string, fits: (value: number) => boolean): number | undefined {
  const value = field.optional()?.number();
  if (value === undefined) return undefined;
  if (!fits(value)) throw field.unexpected(expected);
  const stored = Math.fround(value);
  if (!Number.isFinite(stored) || (stored === 0 && value !== 0)) {
    throw field.unexpected('a number in the range of f32');
  }
  return value;
}

function isShare(value: number): boolean {
  return value >= 0 && value <= 1;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

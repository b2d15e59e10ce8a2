import { unsupported } from '../../src/core/errors.ts';
import { parseJson } from '../../src/core/json.ts';
import type { JsonField } from '../../src/core/json-field.ts';

/** A rank beyond the widest matrices would not be a low one. */
const MAX_RANK = 65536;

/** adapter_config.json as a merge needs it. */
export interface AdapterConfig {
  readonly rank: number;
  /** Factor of B A: lora_alpha / r, or lora_alpha / sqrt(r) with use_rslora (arXiv 2312.03732). */
  readonly scale: number;
}

/** Fields that change what an adapter computes, and the values with which they do not. */
const MUST_BE_OFF: readonly (readonly [key: string, off: (field: JsonField) => boolean])[] = [
  ['use_dora', (field) => field.value === false],
  ['fan_in_fan_out', (field) => field.value === false],
  ['lora_bias', (field) => field.value === false],
  ['bias', (field) => field.value === 'none'],
  ['modules_to_save', (field) => field.array().length === 0],
  ['rank_pattern', (field) => field.object().size === 0],
  ['alpha_pattern', (field) => field.object().size === 0],
];

/**
 * Reads adapter_config.json of PEFT. `base_model_name_or_path` is never followed.
 * @throws PressError invalid-input naming the field; unsupported for kinds of adapters that are no plain LoRA.
 */
export function parseAdapterConfig(text: string, file: string): AdapterConfig {
  const config = parseJson(text, file);
  const refuse = (field: JsonField, expected: string) =>
    unsupported({ file, field: field.field, what: 'not supported', got: field.value, expected });
  const type = config.at('peft_type');
  if (type.string() !== 'LORA') throw refuse(type, 'LORA');
  for (const [key, isOff] of MUST_BE_OFF) {
    const field = config.at(key).optional();
    if (field !== undefined && !isOff(field)) throw refuse(field, 'a plain LoRA without it');
  }
  const rank = config.at('r').integer(1, MAX_RANK);
  const alpha = config.at('lora_alpha').optional()?.number() ?? 8;
  const isStabilized = config.at('use_rslora').optional()?.boolean() ?? false;
  return { rank, scale: alpha / (isStabilized ? Math.sqrt(rank) : rank) };
}

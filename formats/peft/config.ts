import { type PressError, unsupported } from '../../src/core/errors.ts';
import { parseJson } from '../../src/core/json/json.ts';
import type { JsonField } from '../../src/core/json/json-field.ts';
import { INERT_FIELDS, UNMERGEABLE_FIELDS } from './config-fields.ts';
import { readPatterns } from './module-pattern.ts';

/** A rank beyond the widest matrices would not be a low one. */
const MAX_RANK = 65536;
/** PEFT's default of lora_alpha. */
const DEFAULT_ALPHA = 8;

/** `init_lora_weights` of adapters that belong to the base model as it is published. */
const PLAIN_INITS: readonly unknown[] = [true, false, 'gaussian', 'eva', 'orthogonal', 'mica'];
/** Those that write other weights into the base model, as peft/tuners/lora/layer.py does. */
const BASE_CHANGING_INIT = /^(pissa|olora|corda|loftq|lora_ga)/i;

/** adapter_config.json as a merge needs it. */
export interface AdapterConfig {
  /** Whether rows are scaled to the lengths that the adapter holds (DoRA, arXiv 2402.09353). */
  readonly isDora: boolean;
  /** Of a module, as `model.layers.0.self_attn.q_proj`. */
  rankOf(module: string): number;
  /** Factor of B A: lora_alpha / r, or lora_alpha / sqrt(r) with use_rslora (arXiv 2312.03732). */
  scaleOf(module: string): number;
}

/**
 * Reads adapter_config.json of PEFT. `base_model_name_or_path` is never followed.
 * @throws PressError invalid-input naming the field; unsupported for adapters that W + scale B A or DoRA does
 * not describe, and for fields that are not known.
 */
export function parseAdapterConfig(text: string, file: string): AdapterConfig {
  const config = parseJson(text, file);
  assertLora(config);
  for (const [key, field] of config.entries()) assertMergeable(key, field);
  assertPlainInit(config.at('init_lora_weights'));
  const rank = rankOf(config.at('r'));
  const alpha = alphaOf(config.at('lora_alpha')) ?? DEFAULT_ALPHA;
  const ranks = readPatterns(config.at('rank_pattern'), rankOf);
  const alphas = readPatterns(config.at('alpha_pattern'), alphaOf);
  const isStabilized = config.at('use_rslora').optional()?.boolean() ?? false;
  const ofModule = (module: string) => ranks.find(({ matches }) => matches(module))?.value ?? rank;
  return {
    isDora: config.at('use_dora').optional()?.boolean() ?? false,
    rankOf: ofModule,
    scaleOf(module) {
      const [own, r] = [alphas.find(({ matches }) => matches(module))?.value ?? alpha, ofModule(module)];
      return own / (isStabilized ? Math.sqrt(r) : r);
    },
  };
}

function rankOf(field: JsonField): number {
  return field.integer(1, MAX_RANK);
}

/** An alpha of 0 would make an adapter that does nothing. */
function alphaOf(field: JsonField): number | undefined {
  const value = field.optional()?.number();
  if (value !== undefined && value <= 0) throw field.unexpected('a number above 0');
  return value;
}

function assertLora(config: JsonField): void {
  const type = config.at('peft_type');
  if (type.value === undefined && config.object().has('lora_parameters')) {
    const { file } = config;
    throw unsupported({ file, what: 'belongs to an adapter of MLX', expected: 'a LoRA of PEFT' });
  }
  if (type.string() !== 'LORA') throw refusal(type, 'is not a LoRA', 'LORA');
}

function assertMergeable(key: string, field: JsonField): void {
  if (INERT_FIELDS.has(key) || isEmpty(field)) return;
  const known = UNMERGEABLE_FIELDS.get(key);
  if (known === undefined) {
    const what = 'is not known, so it may change what the adapter computes';
    throw refusal(field, what, 'fields of a LoRA; or merge it with PEFT (merge_and_unload)');
  }
  if (field.value !== known.off) throw refusal(field, known.reason, 'a LoRA without it');
}

/** Values that PEFT writes where nothing is set. */
function isEmpty({ value }: JsonField): boolean {
  if (value instanceof Map) return value.size === 0;
  return value === null || value === false || value === '' || (Array.isArray(value) && value.length === 0);
}

function assertPlainInit(field: JsonField): void {
  if (field.optional() === undefined || PLAIN_INITS.includes(field.value)) return;
  if (BASE_CHANGING_INIT.test(String(field.value))) {
    const what = 'changes the weights of the base model, so W + B A is not the model that was trained';
    throw refusal(field, what, 'an adapter saved with path_initial_model_for_weight_conversion');
  }
  throw refusal(field, 'is not known', `one of ${PLAIN_INITS.join(', ')}`);
}

function refusal({ file, field, value }: JsonField, what: string, expected: string): PressError {
  return unsupported({ file, field, what, got: value instanceof Map ? [...value.keys()] : value, expected });
}

import { GGUF_ARCHITECTURES } from '../../../formats/gguf/architecture.ts';
import { KV_B_RULES } from '../../../formats/gguf/scheme-choice.ts';
import { CACHE_FORMS } from '../../core/config.ts';
import { invalidInput, PressError, unsupported } from '../../core/errors.ts';
import type { TensorType } from '../../core/export-plan.ts';
import { SCHEMES, type SchemeName } from '../../core/scheme.ts';
import { PatternList } from '../../core/text/name-pattern.ts';
import { QUALITIES } from '../../passes/rounding/calibrated-rounding.ts';
import type { TargetOptions } from '../planning/target-options.ts';
import type { ManifestOptions } from './manifest.ts';

type Value = ManifestOptions[string];

/** An option between a conversion and its record. Values that are the default are not recorded. */
interface Option {
  /** Undefined for the default. */
  readonly record: (options: TargetOptions) => Value | undefined;
  /** Undefined where the value cannot be one of this option. */
  readonly replay: (value: Value) => TargetOptions | undefined;
}

/** Options that bytes depend on, by their names in plmpress.json. */
const OPTIONS = {
  quality: choice('quality', QUALITIES),
  ggufArch: choice('arch', GGUF_ARCHITECTURES),
  kvBRule: choice('kvBRule', KV_B_RULES),
  cache: choice('cache', CACHE_FORMS),
  pure: {
    record: ({ pure }) => pure || undefined,
    replay: (value) => (value === true ? { pure: true } : undefined),
  },
  tokenEmbedding: {
    record: ({ tokenEmbedding }) => tokenEmbedding,
    replay: (value) => (isScheme(value) ? { tokenEmbedding: value } : undefined),
  },
  tensorTypes: {
    record: ({ tensorTypes = [] }) =>
      tensorTypes.length === 0 ? undefined : tensorTypes.map(({ pattern, scheme }) => `${pattern}=${scheme}`),
    replay: (value) => (Array.isArray(value) ? replayTensorTypes(value) : undefined),
  },
  shardSize: {
    record: ({ shardSize }) => shardSize,
    replay: (value) => (typeof value === 'number' && value > 0 ? { shardSize: value } : undefined),
  },
} satisfies Readonly<Record<string, Option>>;

export type OptionName = keyof typeof OPTIONS;

/** One of `choices`, of which the first is the default. */
function choice<Key extends 'quality' | 'arch' | 'kvBRule' | 'cache'>(
  key: Key,
  choices: readonly NonNullable<TargetOptions[Key]>[],
): Option {
  return {
    record: (options) => (options[key] === choices[0] ? undefined : options[key]),
    replay: (value) => {
      const known = choices.find((name) => name === value);
      return known === undefined ? undefined : { [key]: known };
    },
  };
}

function isScheme(value: Value): value is SchemeName {
  return typeof value === 'string' && Object.hasOwn(SCHEMES, value);
}

/** A pattern may hold `=`, a scheme's name does not. */
function replayTensorTypes(values: readonly string[]): TargetOptions | undefined {
  const tensorTypes: TensorType[] = [];
  for (const value of values) {
    const [, pattern, scheme = ''] = /^(.+)=([^=]*)$/s.exec(value) ?? [];
    if (pattern === undefined || !isScheme(scheme)) return undefined;
    tensorTypes.push({ pattern, scheme });
  }
  assertPatterns(tensorTypes);
  return { tensorTypes };
}

/** An invalid pattern of a record is a fault of the record, not of the command line. */
function assertPatterns(tensorTypes: readonly TensorType[]): void {
  try {
    new PatternList(tensorTypes.map(({ pattern, scheme }) => [pattern, scheme]));
  } catch (error) {
    if (!(error instanceof PressError) || error.failure !== 'usage') throw error;
    throw invalidInput({ ...error.fault, field: 'options.tensorTypes' });
  }
}

/** The values of the options `names` in plmpress.json, in this order. */
export function recordOptions(names: readonly OptionName[], options: TargetOptions): ManifestOptions {
  const recorded = names.map((name) => [name, OPTIONS[name].record(options)] as const);
  return Object.fromEntries(recorded.filter((entry): entry is [OptionName, Value] => entry[1] !== undefined));
}

/**
 * The options that have been recorded so.
 * @throws PressError unsupported for an option that this version does not know, invalid-input for a value
 * that is none of it.
 */
export function replayOptions(recorded: ManifestOptions): TargetOptions {
  const replayed = Object.entries(recorded).map(([name, value]) => {
    if (!Object.hasOwn(OPTIONS, name)) throw unknown(name);
    const option: Option = OPTIONS[name as OptionName];
    const options = option.replay(value);
    if (options === undefined)
      throw invalidInput({ field: `options.${name}`, what: 'wrong value', got: value });
    return options;
  });
  return Object.assign({}, ...replayed);
}

function unknown(name: string): PressError {
  return unsupported({ field: `options.${name}`, what: 'this version knows no such option' });
}

import type { GgufArchitecture } from '../../../formats/gguf/architecture.ts';
import type { KvBRule } from '../../../formats/gguf/scheme-choice.ts';
import type { SchemeName } from '../../../src/core/scheme.ts';
import type { Quality } from '../../../src/passes/rounding/calibrated-rounding.ts';
import type { TargetOptions } from '../../../src/pipeline/planning/target-options.ts';

/**
 * Options of a target as marks write them: `pure`, `arch=…`, `kv-b-rule=…`, `quality=…`, `embedding=SCHEME`,
 * `kv_b_proj=SCHEME`.
 */
export function targetOptions(words: readonly string[]): TargetOptions {
  return Object.assign({}, ...words.map(option));
}

function option(word: string): TargetOptions {
  const [key, value = ''] = word.split('=');
  switch (key) {
    case 'pure':
      return { pure: true };
    case 'arch':
      return { arch: value as GgufArchitecture };
    case 'kv-b-rule':
      return { kvBRule: value as KvBRule };
    case 'quality':
      return { quality: value as Quality };
    case 'embedding':
      return { tokenEmbedding: value as SchemeName };
    case 'kv_b_proj':
      return { tensorTypes: [{ pattern: key, scheme: value as SchemeName }] };
    default:
      throw new Error(`no option ${word}`);
  }
}

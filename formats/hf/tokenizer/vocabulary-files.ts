import { invalidInput, unsupported } from '../../../src/core/errors.ts';
import type { JsonField } from '../../../src/core/json/json-field.ts';

export const VOCABULARY_FILE = 'vocab.json';
export const MERGES_FILE = 'merges.txt';

/** Classes of Transformers that read these files as Qwen2 does. */
const CLASSES: readonly string[] = ['Qwen2Tokenizer', 'Qwen2TokenizerFast'];
/** Files of a tokenizer without tokenizer.json name no pattern; their class has it. */
export function checkTokenizerClass(config: JsonField): void {
  const field = config.at('tokenizer_class').optional();
  if (field === undefined || CLASSES.includes(field.string())) return;
  throw unsupported({
    file: field.file,
    field: field.field,
    what: 'class of a tokenizer without tokenizer.json',
    got: field.value,
    expected: `${CLASSES[0]}, or tokenizer.json as save_pretrained writes it`,
  });
}

/**
 * Pairs of merges.txt in rank order, spelled `left right`: one per line, after a line `#version: …` where
 * there is one. Empty lines count for nothing. Throws `invalid-input`, naming the line.
 */
export function parseMerges(text: string): string[] {
  const merges: string[] = [];
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const line = raw.trim();
    if (line === '' || (index === 0 && line.startsWith('#version'))) continue;
    const parts = line.split(/[ \t]+/);
    if (parts.length !== 2) {
      const field = `line ${index + 1}`;
      throw invalidInput({ file: MERGES_FILE, field, what: 'a merge', got: line, expected: 'two tokens' });
    }
    merges.push(parts.join(' '));
  }
  return merges;
}

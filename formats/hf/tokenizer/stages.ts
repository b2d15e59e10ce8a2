import { unsupported } from '../../../src/core/errors.ts';
import type { JsonValue } from '../../../src/core/json.ts';
import type { JsonField } from '../../../src/core/json-field.ts';
import type { TokenizerSpec } from '../../../src/core/tokenizer-spec.ts';

/** What a stage has to say. Members that are not named here change no ids. */
export type Expected =
  | null
  | boolean
  | number
  | string
  | readonly Expected[]
  | { readonly [key: string]: Expected };

/** The pattern of Qwen2's tokenizer.json that splits a text into words. */
export const QWEN2_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" +
  '|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/** Compared as text and never compiled: a pattern of a file could run for hours (CVE-2024-12720 and others). */
const QWEN2_PRE_TOKENIZER: Expected = {
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: QWEN2_PATTERN }, behavior: 'Isolated', invert: false },
    { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
  ],
};

const BPE: Expected = { type: 'BPE' };
export const BYTE_LEVEL: Expected = { type: 'ByteLevel' };
const NFC: Expected = { type: 'NFC' };

/** Members of `model` that change ids, and the values that do not. */
const PLAIN_BPE: Readonly<Record<string, readonly JsonValue[]>> = {
  dropout: [null, 0],
  unk_token: [null],
  continuing_subword_prefix: [null, ''],
  end_of_word_suffix: [null, ''],
  fuse_unk: [null, false],
  byte_fallback: [null, false],
  ignore_merges: [null, false],
};

/**
 * Checks that tokenizer.json does what Qwen2 does in every stage from text to ids and back, but for the
 * post-processor. Returns the normalizer, the one stage that may be missing. Throws `unsupported`.
 */
export function checkStages(root: JsonField): TokenizerSpec['normalizer'] {
  checkModel(root.at('model'));
  requireStage(root.at('pre_tokenizer'), QWEN2_PRE_TOKENIZER, 'unknown pre-tokenizer');
  requireStage(root.at('decoder'), BYTE_LEVEL, 'unknown decoder');
  const normalizer = root.at('normalizer').optional();
  if (normalizer === undefined) return 'none';
  requireStage(normalizer, NFC, 'unknown normalizer');
  return 'NFC';
}

function checkModel(model: JsonField): void {
  requireStage(model, BPE, 'unknown tokenizer model');
  for (const [key, plain] of Object.entries(PLAIN_BPE)) {
    const { file, field, value } = model.at(key);
    if (value === undefined || plain.some((choice) => value === choice)) continue;
    const expected = plain.map((choice) => JSON.stringify(choice)).join(' or ');
    throw unsupported({ file, field, what: 'unknown kind of BPE', got: value, expected });
  }
}

/** Throws `unsupported` unless a stage says what is expected of it. */
export function requireStage(stage: JsonField, expected: Expected, what: string): void {
  if (agrees(stage.value, expected)) return;
  throw unsupported({ file: stage.file, field: stage.field, what, expected: 'the one of Qwen2' });
}

/** Whether a stage says what is expected of it. */
export function agrees(value: JsonValue | undefined, expected: Expected): boolean {
  if (expected === null || typeof expected !== 'object') return value === expected;
  if (Array.isArray(expected)) {
    if (!Array.isArray(value) || value.length !== expected.length) return false;
    return expected.every((item, i) => agrees(value[i], item));
  }
  if (!(value instanceof Map)) return false;
  return Object.entries(expected).every(([key, member]) => agrees(value.get(key), member));
}

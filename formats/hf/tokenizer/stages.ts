import { type PressError, unsupported } from '../../../src/core/errors.ts';
import type { JsonField } from '../../../src/core/json/json-field.ts';
import type { JsonValue } from '../../../src/core/json/json-value.ts';
import type { TokenizerSpec } from '../../../src/core/tokenizer/tokenizer-spec.ts';

/** The pattern of Qwen2's tokenizer.json that splits a text into words. */
export const QWEN2_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" +
  '|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/**
 * Members of `model` that change ids, and the values that do not. What happens to bytes without a token
 * (unk_token, fuse_unk, byte_fallback) is of no concern: every byte has one.
 */
const PLAIN_BPE: Readonly<Record<string, readonly JsonValue[]>> = {
  dropout: [null, 0],
  continuing_subword_prefix: [null, ''],
  end_of_word_suffix: [null, ''],
  ignore_merges: [null, false],
};

/**
 * Checks that tokenizer.json does what Qwen2 does in every stage from text to ids and back, but for the
 * post-processor. Returns the normalizer, the one stage that may be missing. Throws `unsupported`.
 */
export function checkStages(root: JsonField): TokenizerSpec['normalizer'] {
  checkModel(root.at('model'));
  checkPreTokenizer(root.at('pre_tokenizer'));
  const decoders = partsOf(root.at('decoder'), 'decoders');
  if (decoders.length !== 1 || typeOf(decoders[0]!) !== 'ByteLevel') {
    throw unknown(root.at('decoder'), 'unknown decoder', 'ByteLevel');
  }
  const normalizers = partsOf(root.at('normalizer'), 'normalizers');
  const other = normalizers.find((part) => typeOf(part) !== 'NFC');
  if (other !== undefined) throw unknown(other, 'unknown normalizer', 'NFC or none');
  return normalizers.length === 0 ? 'none' : 'NFC';
}

/**
 * The stages that a stage stands for: those of a sequence, in sequences inside of it too; none where it is
 * missing.
 */
export function partsOf(stage: JsonField, members: string): JsonField[] {
  if (stage.optional() === undefined) return [];
  if (typeOf(stage) !== 'Sequence') return [stage];
  return stage
    .at(members)
    .items()
    .flatMap((part) => partsOf(part, members));
}

function checkModel(model: JsonField): void {
  // Files of older versions name no type.
  const type = model.at('type').optional() === undefined ? 'BPE' : typeOf(model);
  if (type !== 'BPE') throw unknown(model, 'unknown tokenizer model', 'BPE');
  for (const [key, plain] of Object.entries(PLAIN_BPE)) {
    const { file, field, value } = model.at(key);
    if (value === undefined || plain.some((choice) => value === choice)) continue;
    const expected = plain.map((choice) => JSON.stringify(choice)).join(' or ');
    throw unsupported({ file, field, what: 'unknown kind of BPE', got: value, expected });
  }
}

function checkPreTokenizer(field: JsonField): void {
  const parts = partsOf(field, 'pretokenizers');
  const [split, bytes] = parts;
  const isQwen2 =
    parts.length === 2 &&
    isSplit(split!) &&
    typeOf(bytes!) === 'ByteLevel' &&
    bytes!.at('add_prefix_space').value === false &&
    bytes!.at('use_regex').value === false;
  if (!isQwen2) throw unknown(field, 'unknown pre-tokenizer', 'that of Qwen2');
}

/**
 * Whether a stage splits at the words of Qwen2. Its pattern is compared as text and never compiled: a pattern
 * of a file could run for hours (CVE-2024-12720 and others). It covers every text, so that to isolate what
 * matches and to remove what does not is the same.
 */
function isSplit(stage: JsonField): boolean {
  if (typeOf(stage) !== 'Split') return false;
  const pattern = stage.at('pattern').value;
  if (!(pattern instanceof Map) || pattern.get('Regex') !== QWEN2_PATTERN) return false;
  const [behavior, invert] = [stage.at('behavior').value, stage.at('invert').value];
  return (behavior === 'Isolated' && invert !== true) || (behavior === 'Removed' && invert === true);
}

/** The type of a stage; undefined for what is none. */
function typeOf({ value }: JsonField): JsonValue | undefined {
  return value instanceof Map ? value.get('type') : undefined;
}

function unknown(stage: JsonField, what: string, expected: string): PressError {
  const { file, field } = stage;
  const type = typeOf(stage);
  return unsupported({ file, field, what, ...(type !== undefined && { got: type }), expected });
}

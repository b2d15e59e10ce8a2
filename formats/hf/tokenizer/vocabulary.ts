import { invalidInput, type PressError, unsupported } from '../../../src/core/errors.ts';
import type { JsonValue } from '../../../src/core/json.ts';
import type { JsonField } from '../../../src/core/json-field.ts';
import type { AddedToken } from '../../../src/core/tokenizer-spec.ts';

/** Tokens and merges of a tokenizer.json. */
export interface Vocabulary {
  /** Text by id, added tokens included. */
  readonly tokens: readonly string[];
  /** Inverse of `tokens`. */
  readonly ids: ReadonlyMap<string, number>;
  /** In rank order, spelled `left right`. */
  readonly merges: readonly string[];
  readonly added: readonly AddedToken[];
}

/**
 * Reads `model.vocab`, `model.merges` and `added_tokens`. Throws `invalid-input` where ids are not those of
 * rows of an embedding of `vocabSize` rows, or where they leave a hole or clash.
 */
export function readVocabulary(root: JsonField, vocabSize: number): Vocabulary {
  const vocab = root.at('model').at('vocab');
  const tokens: string[] = [];
  const ids = new Map<string, number>();
  for (const [token, value] of vocab.object()) {
    const id = isId(value, vocabSize) ? value : vocab.at(token).integer(0, vocabSize - 1);
    if (tokens[id] !== undefined) throw fault(vocab.at(token), `id ${id} has another token`, tokens[id]);
    tokens[id] = token;
    ids.set(token, id);
  }
  const added = new Map<number, AddedToken>();
  for (const item of root.at('added_tokens').optional()?.items() ?? []) {
    const token = readAddedToken(item, vocabSize);
    const { id, content } = token;
    const known = ids.get(content) ?? id;
    if (known !== id) throw fault(item, `id ${known} has the same token`, content);
    if (added.has(id)) throw fault(item, `id ${id} is added twice`, content);
    if ((tokens[id] ?? content) !== content) throw fault(item, `id ${id} has another token`, tokens[id]);
    tokens[id] = content;
    ids.set(content, id);
    added.set(id, token);
  }
  // With ids.size distinct ids, one beyond that count leaves a hole below it.
  for (let id = 0; id < ids.size; id++) {
    if (tokens[id] === undefined) throw fault(vocab, `hole in the ids, no token has id ${id}`);
  }
  const merges = readMerges(root.at('model').at('merges'));
  return { tokens, ids, merges, added: [...added.values()] };
}

/** Switches of added tokens that change where they match; Qwen's files have them all off. */
const MATCHING_SWITCHES = ['single_word', 'lstrip', 'rstrip', 'normalized'];

/** Throws `unsupported` where an added token matches anything but its exact text. */
export function requireExactMatching(token: JsonField): void {
  for (const key of MATCHING_SWITCHES) {
    const field = token.at(key).optional();
    if (field?.boolean()) {
      throw unsupported({
        file: field.file,
        field: field.field,
        what: 'way of matching an added token',
        got: true,
      });
    }
  }
}

function readAddedToken(item: JsonField, vocabSize: number): AddedToken {
  requireExactMatching(item);
  return {
    id: item.at('id').integer(0, vocabSize - 1),
    content: item.at('content').string(),
    special: item.at('special').optional()?.boolean() ?? false,
  };
}

/** Merges are texts `left right`, or pairs in newer files. */
function readMerges(merges: JsonField): string[] {
  return merges.array().map((merge, rank) => {
    if (typeof merge === 'string') return merge;
    if (isPair(merge)) return merge.join(' ');
    throw merges.items()[rank]!.unexpected('two tokens');
  });
}

function isPair(value: JsonValue): value is readonly [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string');
}

function isId(value: JsonValue, vocabSize: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < vocabSize;
}

function fault({ file, field }: JsonField, what: string, got?: string): PressError {
  return invalidInput(got === undefined ? { file, field, what } : { file, field, what, got });
}

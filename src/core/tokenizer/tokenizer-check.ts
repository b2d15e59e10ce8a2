import { type Fault, invalidInput } from '../errors.ts';
import { BYTE_CHARACTERS, bytesOfSpelling } from './byte-alphabet.ts';
import type { TokenizerSpec } from './tokenizer-spec.ts';

/** How a file calls the parts of its tokenizer. */
export interface TokenizerFields {
  readonly file: string;
  readonly tokens: string;
  readonly merges: string;
}

/** Largest vocabulary and longest list of merges; the largest of the field have about 262,000 tokens. */
export const MAX_VOCABULARY = 1_000_000;

/** Names of chat templates that have a place in every artifact: keys of GGUF hold these characters. */
export const CHAT_TEMPLATE_NAME = /^(?!default$)[A-Za-z0-9_-]{1,64}$/;

/** Longest token in UTF-16 units. Qwen's longest has 128; runtimes copy tokens into buffers of fixed size. */
export const MAX_TOKEN_LENGTH = 1024;

/**
 * Throws `invalid-input` where `spec` is not a byte-level BPE tokenizer that every runtime reads alike:
 * distinct tokens that spell bytes, a token for each byte, merges of tokens into tokens, ids that exist.
 * Importers call it, so that all others can rely on it.
 */
export function checkTokenizerSpec(spec: TokenizerSpec, fields: TokenizerFields): void {
  const { file } = fields;
  const ids = checkTokens(spec, (fault) => invalidInput({ file, field: fields.tokens, ...fault }));
  checkMerges(spec, ids, (fault) => invalidInput({ file, field: fields.merges, ...fault }));
  checkRoles(spec, (fault) => invalidInput({ file, ...fault }));
}

type Fail = (fault: Fault) => Error;

/** Returns the ids by token. */
function checkTokens({ tokens, added }: TokenizerSpec, fail: Fail): Map<string, number> {
  checkCount(tokens, 'tokens', fail);
  for (const { id, content } of added) {
    if (tokens[id] !== content)
      throw fail({ what: `added token ${id}`, got: content, expected: tokens[id] ?? 'none' });
  }
  const addedIds = new Set(added.map((token) => token.id));
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    const other = ids.get(token);
    if (other !== undefined) throw fail({ what: `tokens ${other} and ${id} are the same`, got: token });
    ids.set(token, id);
    if (token === '') throw fail({ what: `token ${id} is empty` });
    if (token.length > MAX_TOKEN_LENGTH) {
      const expected = `at most ${MAX_TOKEN_LENGTH} characters`;
      throw fail({ what: `token ${id} is too long`, got: token.length, expected });
    }
    if (!addedIds.has(id) && bytesOfSpelling(token) === undefined) {
      throw fail({ what: `token ${id} is not spelled in the byte-level alphabet`, got: token });
    }
  }
  const byte = BYTE_CHARACTERS.findIndex((character) => !ids.has(character));
  if (byte >= 0) throw fail({ what: `no token for byte ${byte}` });
  return ids;
}

function checkMerges({ merges, ...spec }: TokenizerSpec, ids: ReadonlyMap<string, number>, fail: Fail): void {
  checkCount(merges, 'merges', fail);
  if (merges.length === 0) checkNeedless(spec, fail);
  const known = new Set<string>();
  for (const [rank, merge] of merges.entries()) {
    const [left, right, ...rest] = merge.split(' ');
    if (left === undefined || right === undefined || rest.length > 0) {
      throw fail({ what: `merge ${rank}`, got: merge, expected: 'two tokens' });
    }
    const missing = [left, right, left + right].find((token) => !ids.has(token));
    if (missing !== undefined) throw fail({ what: `merge ${rank}: not in the vocabulary`, got: missing });
    // Hugging Face takes the last of equal merges, llama.cpp the first.
    if (known.has(merge)) throw fail({ what: `merge ${rank} is given twice`, got: merge });
    known.add(merge);
  }
}

/** Without merges every text falls into bytes, which is right only where the vocabulary has nothing else. */
function checkNeedless({ tokens, added }: Pick<TokenizerSpec, 'tokens' | 'added'>, fail: Fail): void {
  const addedIds = new Set(added.map((token) => token.id));
  const id = tokens.findIndex((token, index) => token.length > 1 && !addedIds.has(index));
  if (id < 0) return;
  throw fail({ what: `no merges, though token ${id} has several bytes`, got: tokens[id]! });
}

function checkRoles(spec: TokenizerSpec, fail: Fail): void {
  const roles: Readonly<Record<string, readonly (number | undefined)[]>> = {
    bos_token_id: [spec.bosTokenId],
    eos_token_id: [spec.eosTokenId, ...spec.stopTokenIds],
    pad_token_id: [spec.padTokenId],
    unk_token_id: [spec.unkTokenId],
  };
  for (const [field, ids] of Object.entries(roles)) {
    const wrong = ids.find((id) => id !== undefined && spec.tokens[id] === undefined);
    if (wrong === undefined) continue;
    throw fail({ field, what: 'not in the vocabulary', got: wrong, expected: `below ${spec.tokens.length}` });
  }
}

function checkCount(list: readonly string[], what: string, fail: Fail): void {
  if (list.length <= MAX_VOCABULARY) return;
  throw fail({ what: `too many ${what}`, got: list.length, expected: `at most ${MAX_VOCABULARY}` });
}

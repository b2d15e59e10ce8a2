import { MAX_END_TOKENS } from '../../../src/core/geometry-members.ts';
import { parseJson } from '../../../src/core/json/json.ts';
import {
  array,
  boolean,
  choice,
  integer,
  matching,
  object,
  optional,
  type Schema,
  string,
} from '../../../src/core/json/schema.ts';
import {
  CHAT_TEMPLATE_NAME,
  checkTokenizerSpec,
  MAX_VOCABULARY,
} from '../../../src/core/tokenizer/tokenizer-check.ts';
import type { TokenizerSpec } from '../../../src/core/tokenizer/tokenizer-spec.ts';

/** Models have one to four. */
const MAX_TEMPLATES = 256;

const LARGE = { max: MAX_VOCABULARY };
const tokenId = integer(0);

const addedToken = object({
  id: tokenId,
  content: string,
  special: boolean,
  normalized: (field) => optional(boolean)(field) || undefined,
});

const template = object({
  name: matching(CHAT_TEMPLATE_NAME, 'ASCII letters, digits, _ and -'),
  template: string,
});

const vocabulary: Schema<TokenizerSpec> = object({
  tokens: array(string, LARGE),
  merges: array(string, LARGE),
  added: array(addedToken, LARGE),
  normalizer: choice(['NFC', 'none']),
  preTokenizer: choice(['qwen2']),
  bosTokenId: optional(tokenId),
  eosTokenId: optional(tokenId),
  padTokenId: optional(tokenId),
  unkTokenId: optional(tokenId),
  stopTokenIds: array(tokenId, { max: MAX_END_TOKENS }),
  addBosToken: boolean,
  chatTemplate: optional(string),
  namedChatTemplates: optional(array(template, { max: MAX_TEMPLATES })),
});

/**
 * Reads vocabulary.json, a `TokenizerSpec`.
 * @throws PressError invalid-input where it is no tokenizer, or has more tokens than the embedding has rows.
 */
export function parseVocabulary(text: string, file: string, vocabSize: number): TokenizerSpec {
  const root = parseJson(text, file);
  const spec = vocabulary(root);
  if (spec.tokens.length > vocabSize) throw root.at('tokens').unexpected(`at most ${vocabSize} tokens`);
  checkTokenizerSpec(spec, { file, tokens: 'tokens', merges: 'merges' });
  return spec;
}

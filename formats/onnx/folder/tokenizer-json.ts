import type { AddedToken, TokenizerSpec } from '../../../src/core/tokenizer/tokenizer-spec.ts';
import { QWEN2_PATTERN } from '../../hf/tokenizer/stages.ts';
import { type Json, jsonText } from './json-text.ts';

const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };

/** tokenizer.json (Hugging Face tokenizers) with the members that Qwen2's has. */
export function tokenizerJsonText(tokenizer: TokenizerSpec): string {
  return jsonText({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tokenizer.added.map((token) => ({
      id: token.id,
      content: token.content,
      ...addedTokenFields(token),
    })),
    normalizer: tokenizer.normalizer === 'NFC' ? { type: 'NFC' } : null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: QWEN2_PATTERN }, behavior: 'Isolated', invert: false },
        BYTE_LEVEL,
      ],
    },
    post_processor: postProcessor(tokenizer),
    decoder: BYTE_LEVEL,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: vocabulary(tokenizer),
      // As texts: pairs are unknown to readers from before 2024.
      merges: tokenizer.merges,
    },
  });
}

/** How an added token matches: its exact text or its text in normalized text, and nothing around it. */
export function addedTokenFields({ special, normalized = false }: AddedToken): {
  readonly [key: string]: boolean;
} {
  return { single_word: false, lstrip: false, rstrip: false, normalized, special };
}

/** Puts bos before a text where the tokenizer does. */
function postProcessor({ addBosToken, bosTokenId, tokens }: TokenizerSpec): Json {
  if (!addBosToken || bosTokenId === undefined) return BYTE_LEVEL;
  const bos = tokens[bosTokenId]!;
  const sequence = (id: 'A' | 'B', type: number) => [
    { SpecialToken: { id: bos, type_id: type } },
    { Sequence: { id, type_id: type } },
  ];
  return {
    type: 'Sequence',
    processors: [
      BYTE_LEVEL,
      {
        type: 'TemplateProcessing',
        single: sequence('A', 0),
        pair: [...sequence('A', 0), ...sequence('B', 1)],
        special_tokens: new Map([[bos, { id: bos, ids: [bosTokenId], tokens: [bos] }]]),
      },
    ],
  };
}

/**
 * Ids by token, without added tokens but for those that merges mention: a merge of unknown tokens is an
 * error.
 */
function vocabulary({ tokens, added, merges }: TokenizerSpec): ReadonlyMap<string, number> {
  const outside = new Set(added.map(({ content }) => content));
  for (const merge of merges) {
    const space = merge.indexOf(' ');
    const [left, right] = [merge.slice(0, space), merge.slice(space + 1)];
    for (const token of [left, right, left + right]) outside.delete(token);
  }
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    if (!outside.has(token)) ids.set(token, id);
  }
  return ids;
}

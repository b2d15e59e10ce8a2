import type { Model } from '../../../src/core/model.ts';
import type { TokenizerSpec } from '../../../src/core/tokenizer/tokenizer-spec.ts';
import { type Json, jsonText } from './json-text.ts';
import { addedTokenFields } from './tokenizer-json.ts';

/**
 * tokenizer_config.json: roles of tokens, chat template, context length. A role without a token is left out:
 * older versions of onnxruntime-extensions, the tokenizer of onnxruntime-genai, take null for an error.
 */
export function tokenizerConfigText({ tokenizer, config }: Pick<Model, 'tokenizer' | 'config'>): string {
  const token = (id: number | undefined) => (id === undefined ? undefined : tokenizer.tokens[id]!);
  return jsonText({
    add_bos_token: tokenizer.addBosToken,
    add_prefix_space: false,
    added_tokens_decoder: new Map(
      tokenizer.added.map((added) => [
        String(added.id),
        { content: added.content, ...addedTokenFields(added) },
      ]),
    ),
    additional_special_tokens: tokensWithoutRole(tokenizer),
    bos_token: token(tokenizer.bosTokenId),
    chat_template: chatTemplates(tokenizer),
    // Decoding would otherwise take spaces before punctuation away.
    clean_up_tokenization_spaces: false,
    eos_token: token(tokenizer.eosTokenId),
    errors: 'replace',
    model_max_length: config.maxPositionEmbeddings,
    pad_token: token(tokenizer.padTokenId),
    padding_side: 'right',
    split_special_tokens: false,
    tokenizer_class: 'Qwen2Tokenizer',
    unk_token: token(tokenizer.unkTokenId),
  });
}

/** Special tokens other than bos, eos, pad and unk. */
function tokensWithoutRole(tokenizer: TokenizerSpec): string[] {
  const { bosTokenId, eosTokenId, padTokenId, unkTokenId } = tokenizer;
  const roles = new Set([bosTokenId, eosTokenId, padTokenId, unkTokenId]);
  return tokenizer.added.filter(({ id, special }) => special && !roles.has(id)).map(({ content }) => content);
}

/**
 * One template as a text, several as the list that transformers.js and older versions of Transformers read
 * too.
 */
function chatTemplates({ chatTemplate, namedChatTemplates = [] }: TokenizerSpec): Json | undefined {
  if (namedChatTemplates.length === 0) return chatTemplate;
  const byDefault = chatTemplate === undefined ? [] : [{ name: 'default', template: chatTemplate }];
  return [...byDefault, ...namedChatTemplates].map(({ name, template }) => ({ name, template }));
}

import { parseJson } from '../../../src/core/json/json.ts';
import type { JsonField } from '../../../src/core/json/json-field.ts';
import {
  CHAT_TEMPLATE_NAME,
  checkTokenizerSpec,
  MAX_VOCABULARY,
} from '../../../src/core/tokenizer/tokenizer-check.ts';
import type {
  AddedToken,
  NamedChatTemplate,
  TokenizerSpec,
} from '../../../src/core/tokenizer/tokenizer-spec.ts';
import { MAX_END_TOKENS } from '../../hf/config.ts';

/** Models have one to four. */
const MAX_TEMPLATES = 256;

/**
 * Reads vocabulary.json, a `TokenizerSpec`.
 * @throws PressError invalid-input where it is no tokenizer, or has more tokens than the embedding has rows.
 */
export function parseVocabulary(text: string, file: string, vocabSize: number): TokenizerSpec {
  const root = parseJson(text, file);
  const tokens = strings(root.at('tokens'));
  if (tokens.length > vocabSize) throw root.at('tokens').unexpected(`at most ${vocabSize} tokens`);
  const role = (key: string) => {
    const id = root.at(key).optional()?.integer(0);
    return id === undefined ? {} : { [key]: id };
  };
  const template = root.at('chatTemplate').optional();
  const named = root.at('namedChatTemplates').optional();
  const spec: TokenizerSpec = {
    tokens,
    merges: strings(root.at('merges')),
    added: root.at('added').items(MAX_VOCABULARY).map(parseAdded),
    normalizer: oneOf(root.at('normalizer'), ['NFC', 'none']),
    preTokenizer: oneOf(root.at('preTokenizer'), ['qwen2']),
    ...role('bosTokenId'),
    ...role('eosTokenId'),
    ...role('padTokenId'),
    ...role('unkTokenId'),
    stopTokenIds: root
      .at('stopTokenIds')
      .items(MAX_END_TOKENS)
      .map((id) => id.integer(0)),
    addBosToken: root.at('addBosToken').boolean(),
    ...(template && { chatTemplate: template.string() }),
    ...(named && { namedChatTemplates: named.items(MAX_TEMPLATES).map(parseTemplate) }),
  };
  checkTokenizerSpec(spec, { file, tokens: 'tokens', merges: 'merges' });
  return spec;
}

function parseAdded(field: JsonField): AddedToken {
  return {
    id: field.at('id').integer(0),
    content: field.at('content').string(),
    special: field.at('special').boolean(),
    ...(field.at('normalized').optional()?.boolean() && { normalized: true }),
  };
}

function parseTemplate(field: JsonField): NamedChatTemplate {
  const name = field.at('name').string();
  if (!CHAT_TEMPLATE_NAME.test(name)) throw field.at('name').unexpected('ASCII letters, digits, _ and -');
  return { name, template: field.at('template').string() };
}

function strings(field: JsonField): string[] {
  return field.items(MAX_VOCABULARY).map((item) => item.string());
}

function oneOf<T extends string>(field: JsonField, known: readonly T[]): T {
  const found = known.find((name) => name === field.value);
  if (found === undefined) throw field.unexpected(known.join(' or '));
  return found;
}

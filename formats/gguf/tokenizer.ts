import { unsupported } from '../../src/core/errors.ts';
import { CHAT_TEMPLATE_NAME, checkTokenizerSpec } from '../../src/core/tokenizer/tokenizer-check.ts';
import type {
  AddedToken,
  NamedChatTemplate,
  TokenizerSpec,
} from '../../src/core/tokenizer/tokenizer-spec.ts';
import type { Fields } from './container/fields.ts';
import type { KeyValue } from './container/writer.ts';

/**
 * Values of `tokenizer.ggml.token_type` that byte-level BPE vocabularies use (llama.h, enum
 * llama_token_type).
 */
const NORMAL = 1;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

/**
 * llama.cpp's qwen2 pre-tokenizer does not normalize and GGUF has no key for it. This private key, which
 * other readers ignore, keeps it. Where it is absent nothing is normalized: the file gives the ids that
 * llama.cpp computes from it.
 */
const NORMALIZER_KEY = 'plmpress.tokenizer.normalizer';

/**
 * Likewise the ids of added tokens that are matched in normalized text. Other readers match them in the text
 * as it is, which differs where normalization makes or unmakes their text.
 */
const NORMALIZED_TOKENS_KEY = 'plmpress.tokenizer.normalized_tokens';

export const TOKENS_KEY = 'tokenizer.ggml.tokens';
const TEMPLATE_KEY = 'tokenizer.chat_template';
const TEMPLATE_NAMES_KEY = 'tokenizer.chat_templates';

/** Ends a turn of a chat; not always the eos of the tokenizer. */
const END_OF_TURN = '<|im_end|>';
/** Tokens that llama.cpp takes as ends of generation by their text (llama-vocab.cpp, special_eog_ids). */
const STOP_TEXTS: readonly string[] = [END_OF_TURN, '<|endoftext|>'];

/**
 * The `tokenizer.*` keys in the order of llama.cpp's converter, which also calls added tokens that look like
 * `<|…|>` control tokens whether special or not. Rows of the embedding without a token become `[PAD{id}]`.
 */
export function tokenizerKeys(tokenizer: TokenizerSpec, vocabSize: number): KeyValue[] {
  const added = new Map(tokenizer.added.map((token) => [token.id, token]));
  const tokens: string[] = [];
  const types: number[] = [];
  for (let id = 0; id < vocabSize; id++) {
    const text = added.get(id)?.content ?? tokenizer.tokens[id];
    tokens.push(text ?? `[PAD${id}]`);
    types.push(text === undefined ? UNUSED : typeOf(added.get(id)));
  }
  const id = (name: string, value: number | undefined): KeyValue[] =>
    value === undefined ? [] : [[`tokenizer.ggml.${name}_token_id`, { type: 'u32', value }]];
  const text = (key: string, value: string | undefined): KeyValue[] =>
    value === undefined ? [] : [[key, { type: 'string', value }]];
  return [
    ...text('tokenizer.ggml.model', 'gpt2'),
    ...text('tokenizer.ggml.pre', tokenizer.preTokenizer),
    [TOKENS_KEY, { type: 'array', items: 'string', value: tokens }],
    ['tokenizer.ggml.token_type', { type: 'array', items: 'i32', value: types }],
    ['tokenizer.ggml.merges', { type: 'array', items: 'string', value: tokenizer.merges }],
    ...id('bos', tokenizer.bosTokenId),
    ...id('eos', tokenizer.eosTokenId),
    // The converter leaves this out. Without it a chat whose eos is `<|endoftext|>` stops at `<|im_end|>`
    // only in runtimes that know the token by its text.
    ...id('eot', tokenizer.added.find((token) => token.content === END_OF_TURN)?.id),
    ...id('unknown', tokenizer.unkTokenId),
    ...id('padding', tokenizer.padTokenId),
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: tokenizer.addBosToken }],
    ...namedTemplateKeys(tokenizer.namedChatTemplates ?? []),
    ...text(TEMPLATE_KEY, tokenizer.chatTemplate),
    ...text(NORMALIZER_KEY, tokenizer.normalizer === 'none' ? undefined : tokenizer.normalizer),
    ...normalizedTokenKeys(tokenizer.added),
  ];
}

/** As gguf-py writes them: a key for each, and one for their names. */
function namedTemplateKeys(templates: readonly NamedChatTemplate[]): KeyValue[] {
  if (templates.length === 0) return [];
  const names = templates.map(({ name }) => name);
  return [
    ...templates.map(
      ({ name, template }): KeyValue => [`${TEMPLATE_KEY}.${name}`, { type: 'string', value: template }],
    ),
    [TEMPLATE_NAMES_KEY, { type: 'array', items: 'string', value: names }],
  ];
}

function normalizedTokenKeys(added: readonly AddedToken[]): KeyValue[] {
  const value = added.filter(({ normalized }) => normalized).map(({ id }) => id);
  return value.length === 0 ? [] : [[NORMALIZED_TOKENS_KEY, { type: 'array', items: 'u32', value }]];
}

function typeOf(token: AddedToken | undefined): number {
  if (token === undefined) return NORMAL;
  const looksSpecial = token.content.startsWith('<|') && token.content.endsWith('|>');
  return token.special || looksSpecial ? CONTROL : USER_DEFINED;
}

/** Reads the `tokenizer.*` keys of a file whose embedding has `vocabSize` rows. */
export function readTokenizer(fields: Fields, vocabSize: number): TokenizerSpec {
  requireValue(fields, 'tokenizer.ggml.model', 'gpt2');
  requireValue(fields, 'tokenizer.ggml.pre', 'qwen2');
  const texts = fields.list(TOKENS_KEY, 'string');
  const types = fields.list('tokenizer.ggml.token_type', 'i32');
  requireLength(fields, TOKENS_KEY, texts.length, vocabSize);
  requireLength(fields, 'tokenizer.ggml.token_type', types.length, vocabSize);
  const used = types.findLastIndex((type) => type !== UNUSED) + 1;
  const tokens = texts.slice(0, used);
  const normalized = new Set(fields.optionalList(NORMALIZED_TOKENS_KEY, 'u32'));
  const added: AddedToken[] = [];
  for (const [id, content] of tokens.entries()) {
    const type = types[id]!;
    if (type === CONTROL || type === USER_DEFINED) {
      const special = type === CONTROL;
      added.push({ id, content, special, ...(normalized.has(id) && { normalized: true }) });
    } else if (type !== NORMAL && type !== UNUSED) {
      const expected = 'normal (1), control (3), user-defined (4) or unused (5)';
      throw fields.error('tokenizer.ggml.token_type', `type of token ${id}`, { got: type, expected });
    }
  }
  const spec: TokenizerSpec = {
    tokens,
    merges: fields.list('tokenizer.ggml.merges', 'string'),
    added,
    normalizer: readNormalizer(fields),
    preTokenizer: 'qwen2',
    ...readSpecialTokens(fields, tokens),
  };
  const [tokensField, mergesField] = ['tokens', 'merges'].map((key) => fields.label(`tokenizer.ggml.${key}`));
  checkTokenizerSpec(spec, { file: fields.file, tokens: tokensField!, merges: mergesField! });
  return spec;
}

type SpecialTokens = Omit<TokenizerSpec, 'tokens' | 'merges' | 'added' | 'normalizer' | 'preTokenizer'>;

function readSpecialTokens(fields: Fields, tokens: readonly string[]): SpecialTokens {
  const id = (name: string): number | undefined => {
    const key = `tokenizer.ggml.${name}_token_id`;
    const value = fields.optional(key, 'u32');
    if (value === undefined || value < tokens.length) return value;
    // llama.cpp ignores ids beyond the vocabulary. No output depends on these two.
    if (name === 'unknown' || name === 'padding') return undefined;
    throw fields.error(key, 'not in the vocabulary', { got: value, expected: `below ${tokens.length}` });
  };
  const roles = ['bos', 'eos', 'unknown', 'padding'] as const;
  const [bosTokenId, eosTokenId, unkTokenId, padTokenId] = roles.map(id);
  const stops = [eosTokenId, id('eot')].filter((stop) => stop !== undefined);
  const stopsByText = STOP_TEXTS.map((text) => tokens.indexOf(text)).filter((stop) => stop >= 0);
  const addEos = 'tokenizer.ggml.add_eos_token';
  if (fields.optional(addEos, 'bool')) {
    throw unsupported({ file: fields.file, field: fields.label(addEos), what: 'not supported', got: true });
  }
  const chatTemplate = fields.optional(TEMPLATE_KEY, 'string');
  const namedChatTemplates = readNamedTemplates(fields);
  return {
    ...(bosTokenId !== undefined && { bosTokenId }),
    ...(eosTokenId !== undefined && { eosTokenId }),
    ...(padTokenId !== undefined && { padTokenId }),
    ...(unkTokenId !== undefined && { unkTokenId }),
    stopTokenIds: [...new Set([...stops, ...stopsByText])].sort((a, b) => a - b),
    addBosToken: fields.optional('tokenizer.ggml.add_bos_token', 'bool') ?? false,
    ...(chatTemplate !== undefined && { chatTemplate }),
    ...(namedChatTemplates.length > 0 && { namedChatTemplates }),
  };
}

/** Templates by the names that a list of the file has. */
function readNamedTemplates(fields: Fields): NamedChatTemplate[] {
  const names = fields.optionalList(TEMPLATE_NAMES_KEY, 'string') ?? [];
  return [...new Set(names)]
    .filter((name) => CHAT_TEMPLATE_NAME.test(name))
    .sort()
    .flatMap((name) => {
      const template = fields.optional(`${TEMPLATE_KEY}.${name}`, 'string');
      return template === undefined ? [] : [{ name, template }];
    });
}

function requireValue(fields: Fields, key: string, expected: string): void {
  const got = fields.required(key, 'string');
  if (got === expected) return;
  throw unsupported({
    file: fields.file,
    field: fields.label(key),
    what: 'unknown tokenizer',
    got,
    expected,
  });
}

function requireLength(fields: Fields, key: string, length: number, vocabSize: number): void {
  if (length === vocabSize) return;
  throw fields.error(key, 'array length', { got: length, expected: `the vocabulary size, ${vocabSize}` });
}

function readNormalizer(fields: Fields): TokenizerSpec['normalizer'] {
  const value = fields.optional(NORMALIZER_KEY, 'string') ?? 'none';
  if (value === 'NFC' || value === 'none') return value;
  throw fields.error(NORMALIZER_KEY, 'unknown normalizer', { got: value, expected: 'NFC' });
}

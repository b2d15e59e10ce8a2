import { invalidInput, unsupported } from '../../../src/core/errors.ts';
import type { JsonField } from '../../../src/core/json-field.ts';
import type { TokenizerSpec } from '../../../src/core/tokenizer-spec.ts';
import { requireExactMatching, type Vocabulary } from './vocabulary.ts';

/** What config.json and generation_config.json say about tokens. */
export interface ConfigTokenIds {
  readonly vocabSize: number;
  readonly bosTokenId?: number;
  readonly eosTokenIds: readonly number[];
  readonly padTokenId?: number;
}

type SpecialTokens = Pick<
  TokenizerSpec,
  'bosTokenId' | 'eosTokenId' | 'padTokenId' | 'unkTokenId' | 'stopTokenIds' | 'addBosToken'
>;

/** Tokens that end a turn or a text in every ChatML model, whatever its configuration says. */
const STOP_TEXTS: readonly string[] = ['<|im_end|>', '<|endoftext|>'];

/**
 * Ids of the tokens with a role. The texts in tokenizer_config.json count first, then those in
 * special_tokens_map.json, then the ids of config.json: the order of llama.cpp's converter. Throws
 * `invalid-input` for tokens that are not in the vocabulary.
 */
export function readSpecialTokens(
  config: JsonField,
  map: JsonField,
  vocabulary: Vocabulary,
  ids: ConfigTokenIds,
): SpecialTokens {
  checkDecoder(config.at('added_tokens_decoder'), vocabulary);
  for (const token of config.at('additional_special_tokens').optional()?.items() ?? []) {
    idOfToken(token, vocabulary);
  }
  checkConfigIds(ids, vocabulary);

  const named = (key: string) => idOfToken(config.at(key), vocabulary) ?? idOfToken(map.at(key), vocabulary);
  const bosTokenId = named('bos_token') ?? ids.bosTokenId;
  const eosTokenId = named('eos_token') ?? ids.eosTokenIds[0];
  const padTokenId = named('pad_token') ?? ids.padTokenId;
  const unkTokenId = named('unk_token');
  const stops = [eosTokenId, ...ids.eosTokenIds, ...STOP_TEXTS.map((text) => vocabulary.ids.get(text))];
  return {
    ...(bosTokenId !== undefined && { bosTokenId }),
    ...(eosTokenId !== undefined && { eosTokenId }),
    ...(padTokenId !== undefined && { padTokenId }),
    ...(unkTokenId !== undefined && { unkTokenId }),
    stopTokenIds: [...new Set(stops.filter((id) => id !== undefined))].sort((a, b) => a - b),
    addBosToken: readAddBosToken(config, bosTokenId),
  };
}

/** Id of a token given by its text or by an object around it. */
function idOfToken(field: JsonField, vocabulary: Vocabulary): number | undefined {
  if (field.optional() === undefined) return undefined;
  const text = (field.value instanceof Map ? field.at('content') : field).string();
  const id = vocabulary.ids.get(text);
  if (id === undefined) {
    throw invalidInput({ file: field.file, field: field.field, what: 'not in the vocabulary', got: text });
  }
  return id;
}

/** `added_tokens_decoder` repeats `added_tokens` of tokenizer.json; a loader may take either. */
function checkDecoder(decoder: JsonField, vocabulary: Vocabulary): void {
  if (decoder.optional() === undefined) return;
  const added = new Map(vocabulary.added.map((token) => [String(token.id), token]));
  for (const [id, entry] of decoder.entries()) {
    requireExactMatching(entry);
    const token = added.get(id);
    const content = entry.at('content').string();
    const special = entry.at('special').optional()?.boolean() ?? false;
    if (token?.content === content && token.special === special) continue;
    const expected =
      token && `${token.special ? 'special' : 'ordinary'} token ${JSON.stringify(token.content)}`;
    throw invalidInput({
      file: entry.file,
      field: entry.field,
      what: 'contradicts added_tokens of tokenizer.json',
      got: content,
      expected: expected ?? 'no such token',
    });
  }
}

function checkConfigIds(ids: ConfigTokenIds, { tokens }: Vocabulary): void {
  const roles = {
    bos_token_id: [ids.bosTokenId],
    eos_token_id: ids.eosTokenIds,
    pad_token_id: [ids.padTokenId],
  };
  for (const [field, values] of Object.entries(roles)) {
    const wrong = values.find((id) => id !== undefined && tokens[id] === undefined);
    if (wrong === undefined) continue;
    const expected = `below ${tokens.length}`;
    // Both files name ends of a generation, and importers merge them.
    const file = field === 'eos_token_id' ? 'config.json or generation_config.json' : 'config.json';
    throw invalidInput({ file, field, what: 'not in the vocabulary', got: wrong, expected });
  }
}

function readAddBosToken(config: JsonField, bosTokenId: number | undefined): boolean {
  for (const key of ['add_eos_token', 'add_prefix_space']) {
    const field = config.at(key).optional();
    if (field?.boolean())
      throw unsupported({ file: field.file, field: field.field, what: 'not supported', got: true });
  }
  const field = config.at('add_bos_token').optional();
  const addBosToken = field?.boolean() ?? false;
  if (addBosToken && bosTokenId === undefined) throw field!.unexpected('false, since there is no bos token');
  return addBosToken;
}

import { invalidInput, unsupported } from '../../../src/core/errors.ts';
import type { JsonField } from '../../../src/core/json/json-field.ts';
import type { TokenizerSpec } from '../../../src/core/tokenizer/tokenizer-spec.ts';
import { tokenText } from './token-text.ts';
import type { Vocabulary } from './vocabulary.ts';

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
 * special_tokens_map.json, then the ids of config.json: the order of llama.cpp's converter. `prefix` is what
 * a post-processor puts before a text, if anything. Adds to `notes` what is ignored. Throws `invalid-input`
 * for tokens that are not in the vocabulary, `unsupported` where a text begins with another token than bos.
 */
export function readSpecialTokens(
  config: JsonField,
  map: JsonField,
  vocabulary: Vocabulary,
  ids: ConfigTokenIds,
  prefix: Prefix | undefined,
  notes: string[],
): SpecialTokens {
  checkConfigIds(ids, vocabulary);
  const named = (key: string) => {
    const field = config.at(key).optional() ?? map.at(key).optional();
    return field && vocabulary.ids.get(tokenText(field));
  };
  const bosTokenId = named('bos_token') ?? ids.bosTokenId ?? prefix?.id;
  if (prefix !== undefined && prefix.id !== bosTokenId) {
    const { file, field } = prefix.field;
    const texts = [prefix.id, bosTokenId!].map((id) => JSON.stringify(vocabulary.tokens[id]));
    const what = 'adds another token than bos before a text';
    throw unsupported({ file, field, what, got: texts[0], expected: texts[1]! });
  }
  if (prefix !== undefined && config.at('add_bos_token').value === false) {
    notes.push(
      `${config.file}: add_bos_token ignored, the post-processor of tokenizer.json puts bos before a text`,
    );
  }
  const eosTokenId = named('eos_token') ?? ids.eosTokenIds[0];
  const padTokenId = named('pad_token') ?? readPad(ids, vocabulary, notes);
  const unkTokenId = named('unk_token');
  const stops = [eosTokenId, ...ids.eosTokenIds, ...STOP_TEXTS.map((text) => vocabulary.ids.get(text))];
  return {
    ...(bosTokenId !== undefined && { bosTokenId }),
    ...(eosTokenId !== undefined && { eosTokenId }),
    ...(padTokenId !== undefined && { padTokenId }),
    ...(unkTokenId !== undefined && { unkTokenId }),
    stopTokenIds: [...new Set(stops.filter((id) => id !== undefined))].sort((a, b) => a - b),
    addBosToken: readAddBosToken(config, bosTokenId) || prefix !== undefined,
  };
}

/** No output depends on the padding, so a row of the embedding without a token may stand for it. */
function readPad(
  { padTokenId }: ConfigTokenIds,
  { tokens }: Vocabulary,
  notes: string[],
): number | undefined {
  if (padTokenId === undefined || tokens[padTokenId] !== undefined) return padTokenId;
  notes.push(`config.json: pad_token_id ignored, row ${padTokenId} of the embedding has no token`);
  return undefined;
}

/** A token that a post-processor puts before every text. */
export interface Prefix {
  readonly id: number;
  /** Where it says so. */
  readonly field: JsonField;
}

function checkConfigIds(ids: ConfigTokenIds, { tokens }: Vocabulary): void {
  const roles = {
    bos_token_id: [ids.bosTokenId],
    eos_token_id: ids.eosTokenIds,
    pad_token_id: [ids.padTokenId],
  };
  for (const [field, values] of Object.entries(roles)) {
    const end = field === 'pad_token_id' ? ids.vocabSize : tokens.length;
    const wrong = values.find((id) => id !== undefined && id >= end);
    if (wrong === undefined) continue;
    const expected = `below ${end}`;
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
  if (addBosToken && bosTokenId === undefined)
    throw field!.unexpected('false, because there is no bos token');
  return addBosToken;
}

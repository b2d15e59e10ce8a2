import { invalidInput, unsupported } from '../../../src/core/errors.ts';
import type { JsonField } from '../../../src/core/json/json-field.ts';
import type { AddedToken } from '../../../src/core/tokenizer/tokenizer-spec.ts';
import type { ConfigTokenIds } from './special-tokens.ts';
import { tokenText } from './token-text.ts';
import type { VocabularyBuilder } from './vocabulary.ts';

/**
 * The files beside tokenizer.json that name added tokens; objects without members where a file is missing.
 */
export interface AddedTokenFiles {
  /** tokenizer_config.json */
  readonly config: JsonField;
  /** special_tokens_map.json */
  readonly map: JsonField;
  /** added_tokens.json */
  readonly ids: JsonField;
}

/** Takes `added_tokens` of tokenizer.json, each of which may stand there once. */
export function takeListed(list: JsonField, builder: VocabularyBuilder, rows: number): void {
  for (const item of list.optional()?.items() ?? []) {
    const id = item.at('id').integer(0, rows - 1);
    const content = item.at('content').string();
    if (builder.added(id) !== undefined) {
      throw invalidInput({
        file: item.file,
        field: item.field,
        what: `id ${id} is added twice`,
        got: content,
      });
    }
    builder.add({ id, content, ...flagsOf(item, { special: false, normalized: false }) }, item);
  }
}

/** What Qwen2's class takes for eos, pad and unk where no file names them. */
const DEFAULT_TOKEN = '<|endoftext|>';

/**
 * Takes the token that Qwen2's class adds to a vocabulary without tokenizer.json where tokenizer_config.json
 * leaves a role open, if the embedding has a row for it.
 */
export function takeDefault(config: JsonField, builder: VocabularyBuilder, rows: number): void {
  const isOpen = ['eos_token', 'pad_token', 'unk_token'].some((key) => config.at(key).value === undefined);
  if (!isOpen || builder.id(DEFAULT_TOKEN) !== undefined || builder.next >= rows) return;
  builder.add({ id: builder.next, content: DEFAULT_TOKEN, special: true }, config);
}

/**
 * Takes the added tokens of the other files in the order of Transformers: `added_tokens_decoder` or else
 * added_tokens.json, then the tokens that have a role and no id yet. What these files say of a token counts
 * more than what tokenizer.json says. Adds to `notes` where they differ.
 */
export function takeOthers(
  { config, map, ids }: AddedTokenFiles,
  builder: VocabularyBuilder,
  configIds: ConfigTokenIds,
  notes: string[],
): void {
  const named = [...namedTokens(config, map)];
  const decoder = config.at('added_tokens_decoder').optional();
  if (decoder !== undefined) takeDecoder(decoder, builder, notes);
  else takeIds(ids, named, builder);
  takeNamed(named, builder, configIds);
}

function takeDecoder(decoder: JsonField, builder: VocabularyBuilder, notes: string[]): void {
  for (const [key, entry] of decoder.entries()) {
    const id = Number(key);
    if (!/^\d{1,9}$/.test(key)) throw entry.unexpected('an id as its key');
    const content = entry.at('content').string();
    const known = builder.added(id);
    if (known !== undefined && known.content !== content) {
      throw invalidInput({
        file: entry.file,
        field: entry.field,
        what: 'contradicts added_tokens of tokenizer.json',
        got: content,
        expected: JSON.stringify(known.content),
      });
    }
    const special = entry.at('special').optional()?.boolean() ?? known?.special ?? false;
    const flags = flagsOf(entry, { special, normalized: known ? (known.normalized ?? false) : !special });
    if (known !== undefined && known.special !== special) {
      const kind = special ? 'special' : 'ordinary';
      notes.push(
        `${entry.file}: ${entry.field} makes ${JSON.stringify(content)} ${kind}, unlike tokenizer.json`,
      );
    }
    builder.add({ id, content, ...flags }, entry);
  }
}

/** added_tokens.json: ids by text. What has a role is special. */
function takeIds(ids: JsonField, named: readonly NamedToken[], builder: VocabularyBuilder): void {
  const specials = new Set(named.map(({ text }) => text));
  for (const [content, field] of ids.entries()) {
    const id = field.integer(0);
    if (builder.added(id)?.content === content) continue;
    const special = specials.has(content);
    builder.add({ id, content, special, ...(!special && { normalized: true }) }, field);
  }
}

/** A text that a file gives a role. */
export interface NamedToken {
  readonly text: string;
  readonly field: JsonField;
  /** `bos` of `bos_token`; undefined for tokens whose only role is to be special. */
  readonly role?: string;
}

/** In the order in which Transformers gives ids to those that have none. */
const ROLES = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'] as const;
const LISTS = ['extra_special_tokens', 'additional_special_tokens'] as const;

function* namedTokens(config: JsonField, map: JsonField): Generator<NamedToken> {
  for (const role of ROLES) {
    const key = `${role}_token`;
    const field = config.at(key).optional() ?? map.at(key).optional();
    if (field !== undefined) yield { text: tokenText(field), field, role };
  }
  for (const file of [config, map]) {
    for (const key of LISTS) {
      const list = file.at(key).optional();
      const items = list?.value instanceof Map ? [...list.entries()].map(([, item]) => item) : list?.items();
      for (const field of items ?? []) yield { text: tokenText(field), field };
    }
  }
}

/**
 * Gives the next ids to special tokens that no file gives one. A token that begins or ends a text takes the
 * id that config.json has for it or none: a row of the embedding that was never trained is not bos or eos.
 */
function takeNamed(named: Iterable<NamedToken>, builder: VocabularyBuilder, ids: ConfigTokenIds): void {
  for (const { text, field, role = '' } of named) {
    if (builder.id(text) !== undefined) continue;
    const fits: Readonly<Record<string, boolean>> = {
      bos: ids.bosTokenId === builder.next,
      eos: ids.eosTokenIds.includes(builder.next),
    };
    if (fits[role] === false) {
      throw invalidInput({
        file: field.file,
        field: field.field,
        what: 'not in the vocabulary',
        got: text,
        expected: 'a token of tokenizer.json or of added_tokens_decoder',
      });
    }
    builder.add({ id: builder.next, content: text, special: true }, field);
  }
}

/** Switches of added tokens that change where they match and that no artifact can hold. */
const STRIPPING = ['single_word', 'lstrip', 'rstrip'];

/**
 * How an added token matches. Throws `unsupported` where it takes anything around its text, or parts of words
 * not.
 */
function flagsOf(
  token: JsonField,
  otherwise: { readonly special: boolean; readonly normalized: boolean },
): Pick<AddedToken, 'special' | 'normalized'> {
  for (const key of STRIPPING) {
    const field = token.at(key).optional();
    if (!field?.boolean()) continue;
    throw unsupported({
      file: field.file,
      field: field.field,
      what: 'way of matching an added token',
      got: true,
      expected: 'false',
    });
  }
  const normalized = token.at('normalized').optional()?.boolean() ?? otherwise.normalized;
  const special = token.at('special').optional()?.boolean() ?? otherwise.special;
  return { special, ...(normalized && { normalized }) };
}

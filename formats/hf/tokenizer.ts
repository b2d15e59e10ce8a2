import { parseJson } from '../../src/core/json/json.ts';
import type { JsonField } from '../../src/core/json/json-field.ts';
import { checkTokenizerSpec, MAX_VOCABULARY } from '../../src/core/tokenizer/tokenizer-check.ts';
import type { TokenizerSpec } from '../../src/core/tokenizer/tokenizer-spec.ts';
import { takeDefault, takeListed, takeOthers } from './tokenizer/added-tokens.ts';
import { type ChatTemplateFiles, readChatTemplates } from './tokenizer/chat-template.ts';
import { readPostProcessor } from './tokenizer/post-processor.ts';
import { type ConfigTokenIds, readSpecialTokens } from './tokenizer/special-tokens.ts';
import { checkStages } from './tokenizer/stages.ts';
import { readMerges, type Vocabulary, VocabularyBuilder } from './tokenizer/vocabulary.ts';
import {
  checkTokenizerClass,
  MERGES_FILE,
  parseMerges,
  VOCABULARY_FILE,
} from './tokenizer/vocabulary-files.ts';

/**
 * Texts of the files that describe a tokenizer: tokenizer.json, or else vocab.json and merges.txt, and the
 * others.
 */
export interface HfTokenizerFiles extends ChatTemplateFiles {
  /** tokenizer.json */
  readonly tokenizer?: string;
  /** vocab.json */
  readonly vocabulary?: string;
  /** merges.txt */
  readonly merges?: string;
  /** tokenizer_config.json */
  readonly tokenizerConfig?: string;
  /** special_tokens_map.json */
  readonly specialTokensMap?: string;
  /** added_tokens.json */
  readonly addedTokens?: string;
}

/** Most members of an object where the vocabulary is small: other objects of the file have some dozen. */
const MIN_MEMBERS = 256;

/** What one form of a tokenizer says. */
interface TokenizerSource {
  readonly normalizer: TokenizerSpec['normalizer'];
  readonly merges: readonly string[];
  /** Undefined where the form has none. */
  readonly postProcessor?: JsonField;
  /** How errors call its parts. */
  readonly names: { readonly file: string; readonly tokens: string; readonly merges: string };
  /** Where its ordinary tokens stand. */
  readonly vocabulary: JsonField;
}

/**
 * Reads a byte-level BPE tokenizer of the Qwen2 kind. Throws `unsupported` for tokenizers of other kinds,
 * `invalid-input` for vocabularies that are not whole or files that contradict each other.
 */
export function parseHfTokenizer(
  files: HfTokenizerFiles,
  ids: ConfigTokenIds,
): { spec: TokenizerSpec; notes: string[] } {
  const config = parseJson(files.tokenizerConfig ?? '{}', 'tokenizer_config.json', { nonFinite: true });
  const map = parseJson(files.specialTokensMap ?? '{}', 'special_tokens_map.json');
  const addedIds = parseJson(files.addedTokens ?? '{}', 'added_tokens.json', { anyKey: true });
  // A vocabulary has at most one member for each row of the embedding.
  const maxMembers = Math.min(Math.max(ids.vocabSize, MIN_MEMBERS), MAX_VOCABULARY);
  const builder = new VocabularyBuilder(ids.vocabSize);
  const notes: string[] = [];

  const source =
    files.tokenizer === undefined
      ? readVocabularyFiles(files, config, builder, maxMembers)
      : readTokenizerJson(files.tokenizer, builder, ids.vocabSize, maxMembers);
  takeOthers({ config, map, ids: addedIds }, builder, ids, notes);
  if (files.tokenizer === undefined) takeDefault(config, builder, ids.vocabSize);
  const vocabulary = builder.build(source.merges, source.vocabulary);
  const prefix = source.postProcessor && readPostProcessor(source.postProcessor, vocabulary.tokens);
  const spec: TokenizerSpec = {
    tokens: vocabulary.tokens,
    merges: vocabulary.merges,
    added: vocabulary.added,
    normalizer: source.normalizer,
    preTokenizer: 'qwen2',
    ...readSpecialTokens(config, map, vocabulary, ids, prefix, notes),
    ...readChatTemplates(config, files, notes),
  };
  checkTokenizerSpec(spec, source.names);
  const unmade = countUnmade(vocabulary);
  if (unmade > 0) notes.push(`${source.names.merges}: no merge produces ${unmade} of the tokens`);
  return { spec, notes };
}

function readTokenizerJson(
  text: string,
  builder: VocabularyBuilder,
  rows: number,
  maxMembers: number,
): TokenizerSource {
  const file = 'tokenizer.json';
  const root = parseJson(text, file, { anyKey: true, maxMembers });
  const normalizer = checkStages(root);
  const vocabulary = root.at('model').at('vocab');
  builder.addOrdinary(vocabulary);
  takeListed(root.at('added_tokens'), builder, rows);
  return {
    normalizer,
    vocabulary,
    merges: readMerges(root.at('model').at('merges')),
    postProcessor: root.at('post_processor'),
    names: { file, tokens: 'model.vocab', merges: 'model.merges' },
  };
}

/** The tokenizer that Qwen2's class makes of its two files. */
function readVocabularyFiles(
  files: HfTokenizerFiles,
  config: JsonField,
  builder: VocabularyBuilder,
  maxMembers: number,
): TokenizerSource {
  checkTokenizerClass(config);
  const vocabulary = parseJson(files.vocabulary ?? '{}', VOCABULARY_FILE, { anyKey: true, maxMembers });
  builder.addOrdinary(vocabulary);
  return {
    normalizer: 'NFC',
    vocabulary,
    merges: parseMerges(files.merges ?? ''),
    names: { file: `${VOCABULARY_FILE} and ${MERGES_FILE}`, tokens: VOCABULARY_FILE, merges: MERGES_FILE },
  };
}

/** Ordinary tokens of several bytes that no merge makes: no text has them. */
function countUnmade({ tokens, added, merges }: Vocabulary): number {
  const made = new Set(merges.map((merge) => merge.replace(' ', '')));
  for (const { content } of added) made.add(content);
  return tokens.filter((token) => token.length > 1 && !made.has(token)).length;
}

import { parseJson } from '../../src/core/json.ts';
import { checkTokenizerSpec, MAX_VOCABULARY } from '../../src/core/tokenizer-check.ts';
import type { TokenizerSpec } from '../../src/core/tokenizer-spec.ts';
import { readChatTemplate } from './tokenizer/chat-template.ts';
import { checkPostProcessor } from './tokenizer/post-processor.ts';
import { type ConfigTokenIds, readSpecialTokens } from './tokenizer/special-tokens.ts';
import { checkStages } from './tokenizer/stages.ts';
import { readVocabulary } from './tokenizer/vocabulary.ts';

/** Texts of the files that describe a tokenizer. */
export interface HfTokenizerFiles {
  /** tokenizer.json */
  readonly tokenizer: string;
  /** tokenizer_config.json */
  readonly tokenizerConfig?: string;
  /** special_tokens_map.json */
  readonly specialTokensMap?: string;
  /** chat_template.jinja */
  readonly chatTemplate?: string;
}

/** Most members of an object where the vocabulary is small: other objects of the file have some dozen. */
const MIN_MEMBERS = 256;

/**
 * Reads a byte-level BPE tokenizer of the Qwen2 kind. Throws `unsupported` for tokenizers of other kinds,
 * `invalid-input` for vocabularies that are not whole or files that contradict each other.
 */
export function parseHfTokenizer(
  files: HfTokenizerFiles,
  ids: ConfigTokenIds,
): { spec: TokenizerSpec; notes: string[] } {
  const file = 'tokenizer.json';
  // The vocabulary has at most one member for each row of the embedding.
  const maxMembers = Math.min(Math.max(ids.vocabSize, MIN_MEMBERS), MAX_VOCABULARY);
  const root = parseJson(files.tokenizer, file, { anyKey: true, maxMembers });
  const config = parseJson(files.tokenizerConfig ?? '{}', 'tokenizer_config.json');
  const map = parseJson(files.specialTokensMap ?? '{}', 'special_tokens_map.json');

  const normalizer = checkStages(root);
  const vocabulary = readVocabulary(root, ids.vocabSize);
  const { tokens, merges, added } = vocabulary;
  const notes: string[] = [];
  const chatTemplate = readChatTemplate(config, files.chatTemplate, notes);
  const roles = readSpecialTokens(config, map, vocabulary, ids);
  const addsBos = checkPostProcessor(root.at('post_processor'), tokens, roles.bosTokenId);
  const spec: TokenizerSpec = {
    tokens,
    merges,
    added,
    normalizer,
    preTokenizer: 'qwen2',
    ...roles,
    addBosToken: roles.addBosToken || addsBos,
    ...(chatTemplate !== undefined && { chatTemplate }),
  };
  checkTokenizerSpec(spec, { file, tokens: 'model.vocab', merges: 'model.merges' });
  return { spec, notes };
}

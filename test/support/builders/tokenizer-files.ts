import { readFileSync } from 'node:fs';
import type { HfTokenizerFiles } from '../../../formats/hf/tokenizer.ts';
import { fixture } from '../paths.ts';

/** The tokenizer files of the fixture, and what its configuration says about tokens. */
export const TOKENIZER_FILES = {
  tokenizer: readFileSync(fixture('plm-tiny', 'tokenizer.json'), 'utf8'),
  tokenizerConfig: readFileSync(fixture('plm-tiny', 'tokenizer_config.json'), 'utf8'),
};
export const TOKEN_IDS = { vocabSize: 2048, eosTokenIds: [2002, 2000] };

// biome-ignore lint/suspicious/noExplicitAny: the shape of the files is what tests change
export type Json = any;

/** Changes parsed tokenizer.json and tokenizer_config.json in place. */
export type TokenizerChange = (tokenizer: Json, config: Json) => void;

/** The files of the fixture after a change. */
export function changedTokenizer(change: TokenizerChange): HfTokenizerFiles {
  const { tokenizer, tokenizerConfig } = TOKENIZER_FILES;
  const [root, config] = [JSON.parse(tokenizer), JSON.parse(tokenizerConfig)];
  change(root, config);
  return { tokenizer: JSON.stringify(root), tokenizerConfig: JSON.stringify(config) };
}

/** A post-processor that puts a token before a text, as Llama 3 has one. */
export function bosFirst(token: string, id: number): Json {
  const single = [{ SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }];
  const template = {
    type: 'TemplateProcessing',
    single,
    pair: [],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
  return { type: 'Sequence', processors: [{ type: 'ByteLevel', trim_offsets: true }, template] };
}

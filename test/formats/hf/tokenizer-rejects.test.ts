import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type HfTokenizerFiles, parseHfTokenizer } from '../../../formats/hf/tokenizer.ts';
import { PressError } from '../../../src/core/errors.ts';
import { MAX_VOCABULARY } from '../../../src/core/tokenizer/tokenizer-check.ts';
import {
  bosFirst,
  changedTokenizer,
  type Json,
  TOKEN_IDS,
  TOKENIZER_FILES,
  type TokenizerChange,
} from '../../support/builders/tokenizer-files.ts';
import { guardTime } from '../../support/drivers/guard-time.ts';

/** Exit codes, as in the contract of the command line. */
const INVALID_INPUT = 3;
const UNSUPPORTED = 7;

function assertRefused(files: HfTokenizerFiles, exitCode: number, message: RegExp, ids = TOKEN_IDS): void {
  assert.throws(
    () => parseHfTokenizer(files, ids),
    (error) => {
      if (!(error instanceof PressError)) throw error;
      assert.match(error.message, message);
      assert.match(error.message, /^[\x20-\x7e…]{1,300}$/u);
      assert.equal(error.exitCode, exitCode);
      return true;
    },
  );
}

const split = (tokenizer: Json) => tokenizer.pre_tokenizer.pretokenizers[0];
const byteLevel = (tokenizer: Json) => tokenizer.pre_tokenizer.pretokenizers[1];
/** Puts a token before a text, with `<|endoftext|>` as bos. */
const addBos =
  (token: string, id: number): TokenizerChange =>
  (tokenizer, config) => {
    config.bos_token = '<|endoftext|>';
    tokenizer.post_processor = bosFirst(token, id);
  };
/** Gives a token another id, or takes it out. */
function reassign(tokenizer: Json, from: number, to?: unknown): void {
  const { vocab } = tokenizer.model;
  const token = Object.keys(vocab).find((text) => vocab[text] === from)!;
  if (to === undefined) delete vocab[token];
  else vocab[token] = to;
}

describe('refused as invalid input', () => {
  // biome-ignore format: a table
  const table: readonly [what: string, change: TokenizerChange, message: RegExp][] = [
    ['a hole in the ids', (t) => reassign(t, 1000), /model\.vocab: hole in the ids, no token has id 1000$/],
    ['a negative id', (t) => reassign(t, 1000, -1), /model\.vocab.*got -1, expected an integer from 0 to 2047/],
    ['an id that is no integer', (t) => reassign(t, 1000, 1.5), /got 1\.5, expected an integer/],
    ['an id that is a text', (t) => reassign(t, 1000, '1000'), /got "1000", expected an integer/],
    ['an id beyond the embedding', (t) => reassign(t, 1000, 2048), /got 2048, expected an integer from 0 to 2047/],
    ['an id twice', (t) => reassign(t, 1000, 999), /id 999 has another token/],
    ['no vocabulary', (t) => delete t.model.vocab, /model\.vocab: missing, expected an object/],
    ['no merges', (t) => delete t.model.merges, /model\.merges: missing, expected an array/],
    ['an added id of another token', (t) => (t.added_tokens[0].id = 5), /added_tokens\[0\]: id 5 has another token/],
    ['an added token twice', (t) => t.added_tokens.push(t.added_tokens[0]), /added_tokens\[3\]: id 2000 is added twice/],
    ['an added token with the text of another', (t) => (t.added_tokens[1].content = '!'), /added_tokens\[1\]: id 0 has the same token, got "!"/],
    ['an added token without text', (t) => t.added_tokens.push({ id: 2003, content: '' }), /token 2003 is empty/],
    ['a merge of what is no token', (t) => t.model.merges.push('Ġ Ġqqq'), /merge 1744: not in the vocabulary, got/],
    ['a merge into what is no token', (t) => t.model.merges.push('q q'), /merge 1744: not in the vocabulary, got "qq"/],
    ['a merge of one part', (t) => t.model.merges.push('the'), /merge 1744, got "the", expected two tokens/],
    ['a merge of three parts', (t) => t.model.merges.push('t h e'), /merge 1744, got "t h e", expected two tokens/],
    ['a pair of three', (t) => t.model.merges.push(['t', 'h', 'e']), /merges\[1744\]: wrong value.*two tokens/],
    ['a merge twice', (t) => t.model.merges.push(t.model.merges[0]), /merge 1744 is given twice/],
    ['a byte without a token', (t) => { delete t.model.vocab['!']; t.model.vocab['th!'] = 0; }, /no token for byte 33$/],
    ['a token outside the alphabet', (t) => (t.model.vocab['a b'] = 2003), /token 2003 is not spelled in the byte-level alphabet, got "a b"/],
    ['a token with escapes for the terminal', (t) => (t.model.vocab['\u001b[2J'] = 2003), /got "\\+u001b\[2J"/],
    ['a token of a megabyte', (t) => (t.model.vocab['x'.repeat(1e6)] = 2003), /token 2003 is too long, got 1000000/],
    ['eos not in the vocabulary', (_, c) => (c.eos_token = '</s>'), /tokenizer_config\.json: eos_token: not in the vocabulary, got "<\/s>"/],
    ['bos not in the vocabulary', (_, c) => (c.bos_token = { content: '<s>' }), /bos_token: not in the vocabulary, got "<s>"/],
    ['eos that is a number', (_, c) => (c.eos_token = 5), /eos_token: wrong value, got 5, expected a string/],
    ['a decoder that names another token', (_, c) => (c.added_tokens_decoder['2001'].content = '<|x|>'), /added_tokens_decoder\.2001: contradicts added_tokens of tokenizer\.json/],
    ['add_bos_token without a bos', (_, c) => (c.add_bos_token = true), /add_bos_token: wrong value.*no bos token/],
    ['a template that is a number', (_, c) => (c.chat_template = 1), /chat_template: wrong value, got 1/],
    ['a template of two megabytes', (_, c) => (c.chat_template = 'x'.repeat(2e6)), /chat_template: template too long/],
  ];
  for (const [what, change, message] of table) {
    it(what, () => assertRefused(changedTokenizer(change), INVALID_INPUT, message));
  }

  // biome-ignore format: a table
  const configTable: readonly [what: string, ids: object, message: RegExp][] = [
    ['eos of the configuration', { eosTokenIds: [2002, 2003] }, /config\.json.*: eos_token_id: not in the vocabulary, got 2003, expected below 2003/],
    ['bos of the configuration', { bosTokenId: 2047 }, /^config\.json: bos_token_id: not in the vocabulary, got 2047/],
    ['pad of the configuration', { padTokenId: 4096 }, /^config\.json: pad_token_id: not in the vocabulary/],
    ['an embedding smaller than the vocabulary', { vocabSize: 2001 }, /added_tokens\[1\]\.id: .*expected an integer from 0 to 2000/],
    ['an embedding much smaller', { vocabSize: 300 }, /tokenizer\.json: model\.vocab: more than 300 members/],
  ];
  for (const [what, other, message] of configTable) {
    it(`${what}: not in the vocabulary`, () =>
      assertRefused(TOKENIZER_FILES, INVALID_INPUT, message, { ...TOKEN_IDS, ...other }));
  }

  // biome-ignore format: a table
  const textTable: readonly [what: string, files: Partial<HfTokenizerFiles>, message: RegExp][] = [
    ['tokenizer.json cut short', { tokenizer: TOKENIZER_FILES.tokenizer.slice(0, -1) }, /^tokenizer\.json: line \d+.*not valid JSON/],
    ['tokenizer_config.json cut short', { tokenizerConfig: '{' }, /^tokenizer_config\.json: .*not valid JSON/],
    ['special_tokens_map.json that is an array', { specialTokensMap: '[]' }, /^special_tokens_map\.json: .*expected an object/],
  ];
  for (const [what, files, message] of textTable) {
    it(what, () => assertRefused({ ...TOKENIZER_FILES, ...files }, INVALID_INPUT, message));
  }

  it('a vocabulary of 2,000,000 entries, soon and whatever the embedding has', () => {
    const entries = Array.from({ length: 2_000_000 }, (_, id) => `"t${id.toString(36)}": ${id}`).join(', ');
    const tokenizer = TOKENIZER_FILES.tokenizer.replace(
      /"vocab": \{[^}]*"!": 0/,
      `"vocab": {${entries}, "!": 0`,
    );
    const assertLinear = guardTime();
    for (const vocabSize of [2048, 2_100_000]) {
      const message = new RegExp(`model\\.vocab: more than ${Math.min(vocabSize, MAX_VOCABULARY)} members`);
      assertRefused({ ...TOKENIZER_FILES, tokenizer }, INVALID_INPUT, message, { ...TOKEN_IDS, vocabSize });
    }
    assertLinear();
  });

  it('every way of breaking off, never as a bug', () => {
    const short = changedTokenizer((tokenizer) => {
      tokenizer.model.merges.length = 0;
    }).tokenizer!;
    for (let end = 0; end < short.length; end += 97) {
      assertRefused({ tokenizer: short.slice(0, end) }, INVALID_INPUT, /^tokenizer\.json: /);
    }
  });
});

describe('refused as unsupported', () => {
  // biome-ignore format: a table
  const table: readonly [what: string, change: TokenizerChange, message: RegExp][] = [
    ['a hostile pattern', (t) => (split(t).pattern.Regex = '(a+)+$'), /pre_tokenizer: unknown pre-tokenizer/],
    ['the pattern of another model', (t) => (split(t).pattern.Regex = "'s|\\p{L}+"), /unknown pre-tokenizer/],
    ['a plain text to split at', (t) => (split(t).pattern = { String: ' ' }), /unknown pre-tokenizer/],
    ['another split behavior', (t) => (split(t).behavior = 'Removed'), /unknown pre-tokenizer/],
    ['an inverted split', (t) => (split(t).invert = true), /unknown pre-tokenizer/],
    ['a space before the text', (t) => (byteLevel(t).add_prefix_space = true), /unknown pre-tokenizer/],
    ['the pattern of GPT-2 as well', (t) => (byteLevel(t).use_regex = true), /unknown pre-tokenizer/],
    ['a stage more', (t) => t.pre_tokenizer.pretokenizers.push({ type: 'Digits' }), /unknown pre-tokenizer/],
    ['no pre-tokenizer', (t) => (t.pre_tokenizer = null), /unknown pre-tokenizer/],
    ['another normalizer', (t) => (t.normalizer = { type: 'NFKC' }), /normalizer: unknown normalizer/],
    ['a post-processor of BERT', (t) => (t.post_processor = { type: 'BertProcessing', sep: ['x', 1], cls: ['y', 2] }), /post_processor: unknown post-processor, got "BertProcessing"/],
    ['a post-processor of RoBERTa in a sequence', (t) => (t.post_processor = { type: 'Sequence', processors: [{ type: 'RobertaProcessing' }] }), /processors\[0\]: unknown post-processor, got "RobertaProcessing"/],
    ['a template that adds eos', (t) => (t.post_processor = { type: 'TemplateProcessing', single: [{ Sequence: { id: 'A' } }, { SpecialToken: { id: 'e' } }] }), /post_processor\.single\[1\]: unknown post-processor, got "a token after a text"/],
    ['bos twice', (t) => { const p = bosFirst('<|endoftext|>', 2000); t.post_processor = { type: 'Sequence', processors: [p, p] }; }, /unknown post-processor, got "more than one token/],
    ['bos by the id of another token', addBos('<|endoftext|>', 2001), /adds another token than bos before a text/],
    ['another token than bos before a text', addBos('<|im_start|>', 2001), /adds another token than bos before a text, got .*im_start/],
    ['another decoder', (t) => (t.decoder = { type: 'Metaspace' }), /decoder: unknown decoder/],
    ['another model', (t) => (t.model.type = 'Unigram'), /model: unknown tokenizer model/],
    ['merges left out for whole words', (t) => (t.model.ignore_merges = true), /model\.ignore_merges/],
    ['dropout', (t) => (t.model.dropout = 0.1), /model\.dropout: unknown kind of BPE, got 0\.1/],
    ['a prefix of continuations', (t) => (t.model.continuing_subword_prefix = '##'), /model\.continuing_subword_prefix/],
    ['a suffix of words', (t) => (t.model.end_of_word_suffix = '</w>'), /model\.end_of_word_suffix/],
    ['an added token that strips', (t) => (t.added_tokens[0].lstrip = true), /added_tokens\[0\]\.lstrip/],
    ['the same in the decoder', (_, c) => (c.added_tokens_decoder['2001'].rstrip = true), /tokenizer_config\.json: .*rstrip/],
    ['eos after every text', (_, c) => (c.add_eos_token = true), /add_eos_token: not supported/],
  ];
  for (const [what, change, message] of table) {
    it(what, () => {
      const files = changedTokenizer(change);
      const assertLinear = guardTime();
      assertRefused(files, UNSUPPORTED, message);
      assertLinear();
    });
  }
});

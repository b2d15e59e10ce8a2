import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { specialTokenIds, syntheticTokenizer } from '../../../../fixtures/synthetic-tokenizer.ts';
import { parseGeneration } from '../../../../formats/hf/generation.ts';
import { parseHfTokenizer } from '../../../../formats/hf/tokenizer.ts';
import { tokenizerJsonText } from '../../../../formats/onnx/folder/tokenizer-json.ts';
import { parseJson } from '../../../../src/core/json/json.ts';
import type { TokenizerSpec } from '../../../../src/core/tokenizer/tokenizer-spec.ts';
import { Tokenizer } from '../../../../src/tokenizer/tokenizer.ts';
import { companionFolder } from '../../../support/builders/companion-folder.ts';
import { hollowModel, SMALL_PLM, SMALL_TOKENIZER } from '../../../support/builders/hollow-model.ts';
import { TOKEN_IDS, TOKENIZER_FILES } from '../../../support/builders/tokenizer-files.ts';
import { guardTime } from '../../../support/drivers/guard-time.ts';
import { QWEN_VOCAB_SIZE, qwenFile, qwenSpec } from '../../../support/oracles/qwen-vocabulary.ts';
import { AutoTokenizer } from '../../../support/oracles/transformers-js.ts';
import { fixture } from '../../../support/paths.ts';

const TINY = parseHfTokenizer(TOKENIZER_FILES, { ...TOKEN_IDS, bosTokenId: 2000, padTokenId: 2000 }).spec;

function synthetic(tokens: number): TokenizerSpec {
  const { endOfText, imEnd } = specialTokenIds(tokens);
  return parseHfTokenizer(syntheticTokenizer(tokens), { vocabSize: tokens, eosTokenIds: [endOfText, imEnd] })
    .spec;
}

const SPECS: Readonly<Record<string, TokenizerSpec>> = {
  'plm-tiny': TINY,
  synthetic: synthetic(4000),
  'one without a normalizer': { ...TINY, normalizer: 'none' },
  'one that puts bos first': { ...TINY, addBosToken: true },
  'one with an added token that is not special': SMALL_TOKENIZER,
  'one with an added token that merges make': {
    ...SMALL_TOKENIZER,
    added: [{ id: 256, content: 'th', special: false }, ...SMALL_TOKENIZER.added],
  },
  'one without roles or template': {
    tokens: TINY.tokens,
    merges: TINY.merges,
    added: TINY.added,
    normalizer: 'NFC',
    preTokenizer: 'qwen2',
    stopTokenIds: [2000, 2002],
    addBosToken: false,
  },
};

/** The folder of a model with this tokenizer. */
function folderOf(t: TestContext, tokenizer: TokenizerSpec): string {
  const config = { ...SMALL_PLM, vocabSize: tokenizer.tokens.length };
  return companionFolder(t, hollowModel(config, { tokenizer }));
}

describe('tokenizer.json and tokenizer_config.json', () => {
  for (const [what, spec] of Object.entries(SPECS)) {
    it(`of ${what} give the importer of Hugging Face folders the same tokenizer`, (t) => {
      const folder = folderOf(t, spec);
      const read = (name: string) => readFileSync(path.join(folder, name), 'utf8');
      const files = { tokenizer: read('tokenizer.json'), tokenizerConfig: read('tokenizer_config.json') };
      const { eosTokenIds } = parseGeneration(read('generation_config.json'), 'generation_config.json');
      const ids = { vocabSize: spec.tokens.length, eosTokenIds };
      const back = parseHfTokenizer(files, ids).spec;
      const { eosTokenId: _, ...rest } = back;
      // generation_config.json names ends of texts, and the importer takes one of them for a missing eos.
      assert.deepEqual(spec.eosTokenId === undefined ? rest : back, spec);
    });
  }

  const vocabularyOf = (spec: TokenizerSpec) => {
    const file = parseJson(tokenizerJsonText(spec), 'tokenizer.json', { anyKey: true });
    return [...file.at('model').at('vocab').object()];
  };

  it('have the vocabulary in the order of ids, digits included, without added tokens', () => {
    const expected = TINY.tokens.slice(0, 2000).map((token, id) => [token, id]);
    assert.deepEqual(vocabularyOf(TINY), expected);
  });

  it('have added tokens in the vocabulary where a merge makes them, which loaders ask for', () => {
    const spec = SPECS['one with an added token that merges make']!;
    assert.deepEqual(vocabularyOf(spec).slice(256), [
      ['th', 256],
      ['the', 257],
    ]);
  });

  it('of Qwen2.5 are that of its publisher', () => {
    const written = JSON.parse(tokenizerJsonText(qwenSpec()));
    const published = JSON.parse(qwenFile('tokenizer.json'));
    assert.deepEqual(written.model.vocab, published.model.vocab);
    assert.deepEqual(written.model.merges, published.model.merges);
    assert.deepEqual(written.added_tokens, published.added_tokens);
    for (const stage of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) {
      assert.deepEqual(written[stage], published[stage], stage);
    }
  });

  it('take time that grows with the vocabulary', () => {
    const spec = synthetic(QWEN_VOCAB_SIZE);
    const assertLinear = guardTime();
    tokenizerJsonText(spec);
    // Half a second alone on a small machine; what grows with the square of the length takes minutes.
    assertLinear();
  });
});

describe('transformers.js', () => {
  const texts = [
    'Hello, world! 12345',
    "  spaced  text\n\n\tI'll don't 'S\r\n ",
    '你好，世界！ Café — κόσμος 🚀 👩‍👩‍👧 e\u0301 e\u0301 ﬁ\u212b',
    '<|im_start|>user\nHello<|im_end|>\n<|endoftext|><|im_end|',
    'a\u0085b\ufeffc \u00a0\u2003d \u017f',
    '',
  ];
  for (const what of ['plm-tiny', 'synthetic', 'one that puts bos first', 'one without a normalizer']) {
    const spec = SPECS[what]!;

    it(`gives ${what} the same ids, and the same text back`, async (t) => {
      const theirs = await AutoTokenizer.from_pretrained(folderOf(t, spec));
      const ours = new Tokenizer(spec);
      const same = (text: string) => {
        const ids = ours.encode(text, { special: true });
        assert.deepEqual(theirs.encode(text), ids, JSON.stringify(text));
        if (ids.length > 0) assert.equal(theirs.decode(ids), ours.decode(ids));
      };
      for (const text of [...texts, readFileSync(fixture('text', 'eval.txt'), 'utf8')]) same(text);
      fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 40 }), same), { seed: 3, numRuns: 1000 });
    });
  }

  it('gives the same chat text as with the files of the source', async (t) => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: '  Häll\no ' },
    ];
    const options = { tokenize: false, add_generation_prompt: true } as const;
    const written = await AutoTokenizer.from_pretrained(folderOf(t, TINY));
    const source = await AutoTokenizer.from_pretrained(fixture('plm-tiny'));
    const text = written.apply_chat_template(messages, options);
    assert.equal(text, source.apply_chat_template(messages, options));
    assert.match(text, /<\|im_start\|>user\n {2}Häll\no <\|im_end\|>\n<\|im_start\|>assistant\n$/);
  });

  it('knows the roles of tokens and the longest text', async (t) => {
    const { eos_token_id, pad_token_id, bos_token_id, model_max_length, all_special_ids } =
      await AutoTokenizer.from_pretrained(folderOf(t, TINY));
    assert.deepEqual([eos_token_id, pad_token_id, bos_token_id, model_max_length], [2002, 2000, 2000, 4096]);
    assert.deepEqual(all_special_ids, [2000, 2001, 2002]);
  });
});

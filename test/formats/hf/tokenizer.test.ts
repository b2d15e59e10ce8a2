import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type HfTokenizerFiles, parseHfTokenizer } from '../../../formats/hf/tokenizer.ts';
import {
  bosFirst,
  changedTokenizer,
  TOKEN_IDS,
  TOKENIZER_FILES,
  type TokenizerChange,
} from '../../support/builders/tokenizer-files.ts';
import { QWEN_VOCAB_SIZE, qwenFile } from '../../support/oracles/qwen-vocabulary.ts';

const pairs = (merges: string[]) => merges.map((merge) => merge.split(' '));

describe('tokenizer of the fixture', () => {
  const { spec, notes } = parseHfTokenizer(TOKENIZER_FILES, {
    ...TOKEN_IDS,
    bosTokenId: 2000,
    padTokenId: 2000,
  });

  it('has every token, merge and role', () => {
    assert.equal(spec.tokens.length, 2003);
    assert.equal(spec.merges.length, 1744);
    assert.equal(spec.merges[0], 'Ġ t');
    assert.deepEqual(spec.added[2], { id: 2002, content: '<|im_end|>', special: true });
    assert.deepEqual(
      [spec.bosTokenId, spec.eosTokenId, spec.padTokenId, spec.unkTokenId],
      [2000, 2002, 2000, undefined],
    );
    assert.deepEqual([spec.normalizer, spec.preTokenizer, spec.addBosToken], ['NFC', 'qwen2', false]);
    assert.deepEqual(notes, []);
  });

  it('stops at the ends of turns and texts even if no file names them', () => {
    const { spec: bare } = parseHfTokenizer(
      { tokenizer: TOKENIZER_FILES.tokenizer },
      { vocabSize: 2048, eosTokenIds: [] },
    );
    assert.deepEqual(bare.stopTokenIds, [2000, 2002]);
    assert.equal(bare.eosTokenId, undefined);
    const { spec: other } = parseHfTokenizer(TOKENIZER_FILES, { vocabSize: 2048, eosTokenIds: [7, 2002] });
    assert.deepEqual(other.stopTokenIds, [7, 2000, 2002]);
  });

  it('takes eos of tokenizer_config.json before special_tokens_map.json before config.json', () => {
    const eosOf = (files: Omit<HfTokenizerFiles, 'tokenizer'>) =>
      parseHfTokenizer(
        { tokenizer: TOKENIZER_FILES.tokenizer, ...files },
        { vocabSize: 2048, eosTokenIds: [7] },
      ).spec.eosTokenId;
    const specialTokensMap = JSON.stringify({ eos_token: { content: '<|im_start|>', lstrip: false } });
    assert.equal(eosOf({ specialTokensMap, tokenizerConfig: TOKENIZER_FILES.tokenizerConfig }), 2002);
    assert.equal(eosOf({ specialTokensMap }), 2001);
    assert.equal(eosOf({}), 7);
  });
});

describe('accepted tokenizer files', () => {
  const original = parseHfTokenizer(TOKENIZER_FILES, TOKEN_IDS).spec;
  const same: Readonly<Record<string, TokenizerChange>> = {
    'merges as pairs, as Qwen3 writes them': ({ model }) => {
      model.merges = pairs(model.merges);
    },
    'an added token that is in the vocabulary too': ({ model }) => {
      model.vocab['<|im_end|>'] = 2002;
    },
    'tokens in any order': ({ model }) => {
      model.vocab = Object.fromEntries(Object.entries(model.vocab).reverse());
    },
    'no post-processor': (tokenizer) => {
      tokenizer.post_processor = null;
    },
    'eos as an object': (_, config) => {
      config.eos_token = { content: '<|im_end|>', lstrip: false };
    },
    'fields of model left out': ({ model }) => {
      for (const key of Object.keys(model)) if (!/type|vocab|merges/.test(key)) delete model[key];
    },
    'keys of tokenizer_config.json that are of no concern': (_, config) => {
      config.tokenizer_class = 'SomeTokenizer';
      config.auto_map = {};
    },
  };
  for (const [what, change] of Object.entries(same)) {
    it(`${what}: the same specification`, () => {
      assert.deepEqual(parseHfTokenizer(changedTokenizer(change), TOKEN_IDS).spec, original);
    });
  }

  it('no normalizer', () => {
    const files = changedTokenizer((tokenizer) => {
      tokenizer.normalizer = null;
    });
    assert.equal(parseHfTokenizer(files, TOKEN_IDS).spec.normalizer, 'none');
  });

  it('add_bos_token with a bos', () => {
    const files = changedTokenizer((_, config) => {
      Object.assign(config, { add_bos_token: true, bos_token: '<|endoftext|>' });
    });
    const { spec } = parseHfTokenizer(files, TOKEN_IDS);
    assert.deepEqual([spec.addBosToken, spec.bosTokenId], [true, 2000]);
  });

  it('a post-processor that puts bos before a text', () => {
    const files = changedTokenizer((tokenizer, config) => {
      config.bos_token = '<|endoftext|>';
      tokenizer.post_processor = bosFirst('<|endoftext|>', 2000);
    });
    const { spec } = parseHfTokenizer(files, TOKEN_IDS);
    assert.deepEqual([spec.addBosToken, spec.bosTokenId], [true, 2000]);
  });

  it('a token called constructor and one called __proto__', () => {
    const entries = '"constructor": 2003, "__proto__": 2004, "!": 0';
    const { spec } = parseHfTokenizer(
      { ...TOKENIZER_FILES, tokenizer: TOKENIZER_FILES.tokenizer.replace('"!": 0', entries) },
      TOKEN_IDS,
    );
    assert.deepEqual(spec.tokens.slice(2003), ['constructor', '__proto__']);
  });

  it('Qwen2.5', () => {
    const files = {
      tokenizer: qwenFile('tokenizer.json'),
      tokenizerConfig: qwenFile('tokenizer_config.json'),
    };
    const { spec, notes } = parseHfTokenizer(files, {
      vocabSize: QWEN_VOCAB_SIZE,
      eosTokenIds: [151_645, 151_643],
    });
    assert.deepEqual([spec.tokens.length, spec.merges.length, spec.added.length], [151_665, 151_387, 22]);
    assert.deepEqual(spec.stopTokenIds, [151_643, 151_645]);
    assert.equal(spec.chatTemplate?.startsWith('{%- if tools %}'), true);
    assert.deepEqual(notes, []);
  });
});

describe('chat templates', () => {
  const injection =
    '{{ cycler.__init__.__globals__.os.popen("id").read() }}{% for i in range(10**9) %}\u0000</script>';

  it('are carried verbatim and never rendered', () => {
    const files = changedTokenizer((_, config) => {
      config.chat_template = injection;
    });
    assert.equal(parseHfTokenizer(files, TOKEN_IDS).spec.chatTemplate, injection);
  });

  it('of chat_template.jinja win, with a note', () => {
    const { spec, notes } = parseHfTokenizer({ ...TOKENIZER_FILES, chatTemplate: injection }, TOKEN_IDS);
    assert.equal(spec.chatTemplate, injection);
    assert.equal(notes.length, 1);
    assert.match(notes[0]!, /^chat_template\.jinja differs from tokenizer_config\.json: chat_template/);
  });

  it('that are the same in both files need no note', () => {
    const { chat_template: chatTemplate } = JSON.parse(TOKENIZER_FILES.tokenizerConfig);
    assert.deepEqual(parseHfTokenizer({ ...TOKENIZER_FILES, chatTemplate }, TOKEN_IDS).notes, []);
  });

  it('in a list: the default one', () => {
    const files = changedTokenizer((_, config) => {
      config.chat_template = [
        { name: 'tool_use', template: 'T' },
        { name: 'default', template: 'D' },
      ];
    });
    const { spec, notes } = parseHfTokenizer(files, TOKEN_IDS);
    assert.equal(spec.chatTemplate, 'D');
    assert.deepEqual(spec.namedChatTemplates, [{ name: 'tool_use', template: 'T' }]);
    assert.deepEqual(notes, []);
  });

  it('may be missing', () => {
    assert.equal(
      parseHfTokenizer({ tokenizer: TOKENIZER_FILES.tokenizer }, TOKEN_IDS).spec.chatTemplate,
      undefined,
    );
  });
});

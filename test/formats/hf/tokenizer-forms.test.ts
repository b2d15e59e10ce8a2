import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConfigTokenIds } from '../../../formats/hf/tokenizer/special-tokens.ts';
import { type HfTokenizerFiles, parseHfTokenizer } from '../../../formats/hf/tokenizer.ts';
import type { TokenizerSpec } from '../../../src/core/tokenizer/tokenizer-spec.ts';
import { Tokenizer } from '../../../src/tokenizer/tokenizer.ts';
import {
  bosFirst,
  changedTokenizer,
  type Json,
  TOKEN_IDS,
  TOKENIZER_FILES,
  type TokenizerChange,
} from '../../support/builders/tokenizer-files.ts';
import { QWEN_VOCAB_SIZE, qwenFile } from '../../support/oracles/qwen-vocabulary.ts';
import { pressFailure } from '../../support/press-failure.ts';

// Expected ids are those of Transformers 5.18 with tokenizers 0.23.2 for the same files.

const parse = (files: HfTokenizerFiles, ids: ConfigTokenIds = TOKEN_IDS) => parseHfTokenizer(files, ids);
const original = parse(TOKENIZER_FILES).spec;
const BOS = '<|endoftext|>';
const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
const template = () => bosFirst(BOS, 2000).processors[1];
const sequence = (...processors: Json[]) => ({ type: 'Sequence', processors });
const nothing = {
  type: 'TemplateProcessing',
  single: [{ Sequence: { id: 'A', type_id: 0 } }],
  special_tokens: {},
};

describe('tokenizer.json that means the same', () => {
  const same: Readonly<Record<string, TokenizerChange>> = {
    'a template that adds nothing': (t) => (t.post_processor = nothing),
    'an empty sequence of post-processors': (t) => (t.post_processor = sequence()),
    'NFC in a sequence': (t) => (t.normalizer = { type: 'Sequence', normalizers: [{ type: 'NFC' }] }),
    'a sequence in a sequence of pre-tokenizers': (t) =>
      (t.pre_tokenizer = { type: 'Sequence', pretokenizers: [t.pre_tokenizer] }),
    'what does not match removed, which is nothing': (t) =>
      Object.assign(t.pre_tokenizer.pretokenizers[0], { behavior: 'Removed', invert: true }),
    'a decoder in a sequence': (t) => (t.decoder = { type: 'Sequence', decoders: [t.decoder] }),
    'a model without a type': (t) => delete t.model.type,
    'what bytes without a token become, though each has one': (t) =>
      Object.assign(t.model, { unk_token: BOS, fuse_unk: true, byte_fallback: true }),
    'a length to cut texts at': (t) =>
      (t.truncation = { max_length: 4, strategy: 'LongestFirst', stride: 0 }),
    'added tokens in the decoder alone': (t) => (t.added_tokens = []),
    'an object as eos': (_, c) =>
      (c.eos_token = { __type: 'AddedToken', content: '<|im_end|>', normalized: true, lstrip: false }),
  };
  for (const [what, change] of Object.entries(same)) {
    it(what, () => assert.deepEqual(parse(changedTokenizer(change)).spec, original));
  }

  it('a sequence of no normalizers is none', () => {
    const change: TokenizerChange = (t) => (t.normalizer = { type: 'Sequence', normalizers: [] });
    assert.equal(parse(changedTokenizer(change)).spec.normalizer, 'none');
  });
});

describe('members of configurations that change no text', () => {
  it('numbers that Python alone writes', () => {
    const [endless, plain] = ['Infinity', '1024'].map((length) => {
      const tokenizerConfig = TOKENIZER_FILES.tokenizerConfig!.replace(
        /"model_max_length": \d+/,
        `"model_max_length": ${length}`,
      );
      return parse({ ...TOKENIZER_FILES, tokenizerConfig });
    });
    assert.deepEqual(endless, plain);
  });

  it('a padding in a row of the embedding without a token', () => {
    const { spec, notes } = parse(TOKENIZER_FILES, { ...TOKEN_IDS, padTokenId: 2040 });
    assert.deepEqual(spec, original);
    assert.deepEqual(notes, []);
    const bare = changedTokenizer((_, c) => delete c.pad_token);
    const without = parse(bare, { ...TOKEN_IDS, padTokenId: 2040 });
    assert.equal(without.spec.padTokenId, undefined);
    assert.deepEqual(without.notes, [
      'config.json: pad_token_id ignored, row 2040 of the embedding has no token',
    ]);
  });

  it('add_bos_token false beside a post-processor that puts bos, told in a note', () => {
    const change: TokenizerChange = (t, c) => {
      t.post_processor = template();
      c.add_bos_token = false;
    };
    const { spec, notes } = parse(changedTokenizer(change));
    assert.equal(spec.addBosToken, true);
    assert.deepEqual(notes, [
      'tokenizer_config.json: add_bos_token ignored, the post-processor of tokenizer.json puts bos before a text',
    ]);
  });
});

describe('bos before a text', () => {
  const forms: Readonly<Record<string, () => Json>> = {
    'by a template alone': template,
    'by a template in a sequence': () => sequence(template()),
    'before ByteLevel': () => sequence(template(), BYTE_LEVEL),
    'in a sequence of sequences': () => sequence(sequence(BYTE_LEVEL), sequence(template())),
  };
  for (const [what, form] of Object.entries(forms)) {
    for (const bos of [BOS, null]) {
      it(`${what}, bos_token ${bos}`, () => {
        const { spec } = parse(
          changedTokenizer((t, c) => {
            t.post_processor = form();
            c.bos_token = bos;
          }),
        );
        assert.deepEqual([spec.addBosToken, spec.bosTokenId], [true, 2000]);
        assert.deepEqual(new Tokenizer(spec).encode('Call'), [
          2000,
          ...new Tokenizer(original).encode('Call'),
        ]);
      });
    }
  }
});

/** Adds tokens from id 2003 on, or at the id that the vocabulary has for their text. */
function withAdded(...tokens: readonly (readonly [content: string, normalized: boolean])[]): TokenizerChange {
  return (tokenizer) => {
    let next = 2003;
    for (const [content, normalized] of tokens) {
      const id = tokenizer.model.vocab[content] ?? next++;
      const fixed = { single_word: false, lstrip: false, rstrip: false, special: false };
      tokenizer.added_tokens.push({ id, content, normalized, ...fixed });
    }
  };
}

describe('added tokens in normalized text', () => {
  const mixed = withAdded(
    ...([
      ['<x\u00e9y>', true],
      ['<xe\u0301y>', false],
      ['<ab>', true],
      ['<abc>', false],
    ] as const),
    ...([
      ['<think>', true],
      ['</think>', true],
      ['the', true],
    ] as const),
  );
  const everyOne: TokenizerChange = (t, c) => {
    for (const token of t.added_tokens) token.normalized = true;
    for (const id in c.added_tokens_decoder) c.added_tokens_decoder[id].normalized = true;
  };
  const without: TokenizerChange = (t, c) => {
    mixed(t, c);
    t.normalizer = null;
  };
  // biome-ignore format: a table
  const table: readonly [what: string, change: TokenizerChange, text: string, ids: readonly number[]][] = [
    ['a decomposed text is found', mixed, 'a <x\u00e9y>', [64, 220, 2003]],
    ['those that match the text as it is come first', mixed, '<xe\u0301y> a<th\u0301>', [2004, 258, 27, 434, 136, 223, 29]],
    ['the longest of each kind', mixed, '<ab><abc> the<think>x</think>', [2005, 2006, 220, 710, 2007, 87, 2008]],
    ['marks around them', mixed, 'e\u0301<xe\u0301y>\u0301z', [127, 102, 2004, 136, 223, 89]],
    ['without a normalizer', without, 'e\u0301<xe\u0301y>\u0301z', [68, 136, 223, 2004, 136, 223, 89]],
    ['a mark unmakes one', everyOne, '<|im_end|>\u0338 after', [27, 91, 321, 62, 376, 91, 158, 231, 107, 983]],
    ['a mark does not unmake others', () => {}, '<|im_end|>\u0338 after', [2002, 136, 116, 983]],
    ['ordinary chat', everyOne, 'x<|im_start|>user\nhi<|im_end|>\n', [87, 2001, 445, 264, 198, 71, 72, 2002, 198]],
  ];
  for (const [what, change, text, ids] of table) {
    it(what, () => {
      const { spec } = parse(changedTokenizer(change));
      assert.deepEqual(new Tokenizer(spec).encode(text, { special: true }), ids);
    });
  }
});

/** Texts of added tokens by id. */
const addedOf = ({ added }: TokenizerSpec) => added.map(({ id, content }) => `${id} ${content}`);
const THREE = ['2000 <|endoftext|>', '2001 <|im_start|>', '2002 <|im_end|>'];
const IDS = { '<|endoftext|>': 2000, '<|im_start|>': 2001, '<|im_end|>': 2002 };

describe('added tokens that tokenizer.json lacks', () => {
  const bare = changedTokenizer((t, c) => {
    t.added_tokens = [];
    delete c.added_tokens_decoder;
  });

  it('of added_tokens.json, special where they have a role', () => {
    const { spec } = parse({ ...bare, addedTokens: JSON.stringify(IDS) });
    assert.deepEqual(addedOf(spec), THREE);
    assert.deepEqual(spec.added[1], { id: 2001, content: '<|im_start|>', special: false, normalized: true });
    assert.deepEqual(spec.added[2], { id: 2002, content: '<|im_end|>', special: true });
  });

  it('beside others, with the defaults of Transformers', () => {
    const { spec } = parse(
      changedTokenizer((_, c) => (c.added_tokens_decoder['2003'] = { content: '<think>' })),
    );
    assert.deepEqual(spec.added[3], { id: 2003, content: '<think>', special: false, normalized: true });
  });

  it('that have a role alone get the next ids, in the order of Transformers', () => {
    const files = changedTokenizer((_, c) => {
      c.pad_token = '<|pad|>';
      c.extra_special_tokens = ['<ab>', { content: '<abc>' }];
    });
    const specialTokensMap = JSON.stringify({
      mask_token: '<m>',
      additional_special_tokens: ['<ab>', '<d>'],
    });
    const { spec } = parse({ ...files, specialTokensMap });
    assert.deepEqual(addedOf(spec), [
      ...THREE,
      '2003 <|pad|>',
      '2004 <m>',
      '2005 <ab>',
      '2006 <abc>',
      '2007 <d>',
    ]);
    assert.equal(spec.padTokenId, 2003);
  });

  it('eos by its role where config.json has the id for it', () => {
    const files = changedTokenizer((_, c) => (c.eos_token = '<eos>'));
    assert.equal(parse(files, { ...TOKEN_IDS, eosTokenIds: [2003] }).spec.eosTokenId, 2003);
  });

  it('of another kind than tokenizer.json says: tokenizer_config.json counts, with a note', () => {
    const change: TokenizerChange = (_, c) => (c.added_tokens_decoder['2001'].special = false);
    const { spec, notes } = parse(changedTokenizer(change));
    assert.equal(spec.added[1]!.special, false);
    assert.match(
      notes.join(),
      /^tokenizer_config\.json: added_tokens_decoder\.2001 makes "<\|im_start\|>" ordinary/,
    );
  });

  const addedTokens = (ids: object) => JSON.stringify(ids);
  // biome-ignore format: a table
  const wrong: readonly [what: string, files: HfTokenizerFiles, message: RegExp][] = [
    ['an id that leaves a hole', changedTokenizer((_, c) => (c.added_tokens_decoder['2005'] = { content: '<x>' })), /hole in the ids, no token has id 2003/],
    ['an id without a row', changedTokenizer((_, c) => (c.added_tokens_decoder['2048'] = { content: '<x>' })), /decoder\["?2048"?\]|decoder\.2048: id of "<x>", got 2048, expected below 2048, the rows of the embedding/],
    ['an id of another token', { ...bare, addedTokens: addedTokens({ ...IDS, '<x>': 2001 }) }, /^added_tokens\.json: \["<x>"\]: id 2001 has another token, got "<\|im_start\|>"/],
    ['another id', { ...TOKENIZER_FILES, tokenizerConfig: '{}', addedTokens: addedTokens({ ...IDS, '<|im_end|>': 2003 }) }, /^added_tokens\.json: .*id 2002 has the same token, got "<\|im_end\|>"/],
    ['a key that is no id', changedTokenizer((_, c) => (c.added_tokens_decoder.x = { content: '<x>' })), /added_tokens_decoder\.x: wrong value.*an id as its key/],
  ];
  for (const [what, files, message] of wrong) {
    it(`refuses ${what}`, () => assert.throws(() => parse(files), pressFailure('invalid-input', message)));
  }
});

describe('vocab.json and merges.txt without tokenizer.json', () => {
  const { model } = JSON.parse(TOKENIZER_FILES.tokenizer);
  const vocabulary = JSON.stringify(model.vocab);
  const { tokenizerConfig } = TOKENIZER_FILES;
  const lines: readonly string[] = ['#version: 0.2', ...model.merges];
  const files = { vocabulary, merges: `${lines.join('\n')}\n`, tokenizerConfig };

  const same: Readonly<Record<string, HfTokenizerFiles>> = {
    'as save_pretrained writes them': files,
    'line ends of Windows, none at the end': { ...files, merges: lines.join('\r\n') },
    'a byte order mark, empty lines, no version': {
      ...files,
      merges: `\ufeff\n${model.merges.join('\n\n')}`,
    },
    'added tokens in the vocabulary': { ...files, vocabulary: JSON.stringify({ ...model.vocab, ...IDS }) },
  };
  for (const [what, changed] of Object.entries(same)) {
    it(`${what}: the same specification`, () => assert.deepEqual(parse(changed).spec, original));
  }

  it('Qwen2.5: the same specification', () => {
    const tokenizer = qwenFile('tokenizer.json');
    const config = { tokenizerConfig: qwenFile('tokenizer_config.json') };
    const ids = { vocabSize: QWEN_VOCAB_SIZE, eosTokenIds: [] };
    const { vocab, merges } = JSON.parse(tokenizer).model;
    const texts = { vocabulary: JSON.stringify(vocab), merges: `#version: 0.2\n${merges.join('\n')}\n` };
    assert.deepEqual(parse({ ...texts, ...config }, ids).spec, parse({ tokenizer, ...config }, ids).spec);
  });

  it('nothing beside them: Qwen2 adds <|endoftext|>', () => {
    const { spec } = parse({ ...files, tokenizerConfig: '{}' }, { ...TOKEN_IDS, eosTokenIds: [2000] });
    assert.deepEqual(addedOf(spec), ['2000 <|endoftext|>']);
  });

  it('add_bos_token', () => {
    const config = JSON.stringify({ ...JSON.parse(tokenizerConfig), bos_token: BOS, add_bos_token: true });
    assert.equal(parse({ ...files, tokenizerConfig: config }).spec.addBosToken, true);
  });

  it('tells how many tokens merges that are cut off leave without a text', () => {
    const { notes } = parse({ ...files, merges: lines.slice(0, 101).join('\n') });
    assert.deepEqual(notes, ['merges.txt: no merge produces 1644 of the tokens']);
  });

  // biome-ignore format: a table
  const wrong: readonly [what: string, changed: HfTokenizerFiles, failure: 'invalid-input' | 'unsupported', message: RegExp][] = [
    ['no merges', { ...files, merges: '#version: 0.2\n' }, 'invalid-input', /merges\.txt: no merges, though token 256 has several bytes/],
    ['a line of three', { ...files, merges: 'a b c' }, 'invalid-input', /^merges\.txt: line 1: a merge, got "a b c", expected two tokens/],
    ['a merge of what is no token', { ...files, merges: `${files.merges}q q\n` }, 'invalid-input', /merges\.txt: merge 1744: not in the vocabulary, got "qq"/],
    ['the class of another model', { ...files, tokenizerConfig: '{"tokenizer_class": "GPT2Tokenizer"}' }, 'unsupported', /tokenizer_class: .*got "GPT2Tokenizer", expected Qwen2Tokenizer, or tokenizer\.json/],
    ['a vocabulary that is a list', { ...files, vocabulary: '[]' }, 'invalid-input', /^vocab\.json: .*expected an object/],
  ];
  for (const [what, changed, failure, message] of wrong) {
    it(`refuses ${what}`, () => assert.throws(() => parse(changed), pressFailure(failure, message)));
  }
});

describe('chat templates of several files', () => {
  const read = (files: HfTokenizerFiles, config: Json = {}) => {
    const tokenizerConfig = JSON.stringify({ ...JSON.parse(TOKENIZER_FILES.tokenizerConfig), ...config });
    const { spec, notes } = parse({ ...TOKENIZER_FILES, tokenizerConfig, ...files });
    const { chatTemplate, namedChatTemplates = [] } = spec;
    return {
      chatTemplate,
      named: namedChatTemplates.map((entry) => `${entry.name} ${entry.template}`),
      notes,
    };
  };
  const json = (chat_template: unknown) => JSON.stringify({ chat_template });
  const differs = (a: string, b: string) => [`${a} differs from ${b}; this one is used`];
  const CONFIG = 'tokenizer_config.json: chat_template';

  it('chat_template.json, as processors are saved, where there is no other', () => {
    const found = read({ chatTemplateJson: json('J') }, { chat_template: undefined });
    assert.deepEqual(found, { chatTemplate: 'J', named: [], notes: [] });
  });

  it('chat_template.json counts last', () => {
    const found = read({ chatTemplateJson: json('J') }, { chat_template: 'C' });
    const notes = differs(CONFIG, 'chat_template.json: chat_template');
    assert.deepEqual(found, { chatTemplate: 'C', named: [], notes });
  });

  it('a list or an object of templates, in order of their names', () => {
    const list = [
      { name: 'tool_use', template: 'T' },
      { name: 'default', template: 'D' },
      { name: 'rag', template: 'R' },
    ];
    const expected = { chatTemplate: 'D', named: ['rag R', 'tool_use T'], notes: [] };
    assert.deepEqual(read({}, { chat_template: list }), expected);
    assert.deepEqual(read({}, { chat_template: { tool_use: 'T', default: 'D', rag: 'R' } }), expected);
  });

  it('the last of one name in a list', () => {
    const list = ['first', 'last'].map((template) => ({ name: 'default', template }));
    assert.deepEqual(read({}, { chat_template: list }), { chatTemplate: 'last', named: [], notes: [] });
  });

  it('files of their own count first', () => {
    const additionalChatTemplates = new Map([['tool_use', 'T']]);
    const config = { chat_template: [{ name: 'tool_use', template: 'old' }] };
    const found = read({ chatTemplate: 'D', additionalChatTemplates }, config);
    const notes = differs('additional_chat_templates/tool_use.jinja', CONFIG);
    assert.deepEqual(found, { chatTemplate: 'D', named: ['tool_use T'], notes });
  });

  it('names without a key in GGUF are left out, with a note', () => {
    const { named, notes } = read({ additionalChatTemplates: new Map([['a b', 'X']]) });
    assert.deepEqual(named, []);
    assert.match(notes.join(), /^additional_chat_templates\/a b\.jinja: chat template "a b" left out/);
  });
});

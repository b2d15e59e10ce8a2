import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseHfTokenizer } from '../../formats/hf/tokenizer.ts';
import { StreamDecoder } from '../../src/tokenizer/stream-decoder.ts';
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { fixture } from '../support/paths.ts';

const read = (...parts: string[]) => readFileSync(fixture(...parts), 'utf8');

const { spec } = parseHfTokenizer(
  {
    tokenizer: read('plm-tiny', 'tokenizer.json'),
    tokenizerConfig: read('plm-tiny', 'tokenizer_config.json'),
  },
  { vocabSize: 2048, bosTokenId: 2000, eosTokenIds: [2002], padTokenId: 2000 },
);
const tokenizer = new Tokenizer(spec);
const [endOfText, startOfTurn, endOfTurn] = [2000, 2001, 2002];

describe('encoding and decoding', () => {
  for (const name of ['eval.txt', 'calibration.txt']) {
    it(`gives fixtures/text/${name} back, in fewer tokens than half its bytes`, () => {
      const text = read('text', name);
      const ids = tokenizer.encode(text);
      assert.equal(tokenizer.decode(ids), text.normalize('NFC'));
      assert.ok(ids.length < text.length / 2);
    });
  }

  const text = fc.string({ unit: 'binary', maxLength: 40 });

  it('gives any text back in normalization form C', () => {
    const property = fc.property(text, (t) => {
      assert.equal(tokenizer.decode(tokenizer.encode(t)), t.normalize('NFC'));
    });
    fc.assert(property, { seed: 1, numRuns: 3000 });
  });

  it('gives any text back as it was without a normalizer', () => {
    const plain = new Tokenizer({ ...spec, normalizer: 'none' });
    const property = fc.property(text, (t) => assert.equal(plain.decode(plain.encode(t)), t));
    fc.assert(property, { seed: 2, numRuns: 3000 });
  });

  it('takes unpaired surrogates for U+FFFD', () => {
    assert.deepEqual(tokenizer.encode('a\ud83d b\ude80'), tokenizer.encode('a\ufffd b\ufffd'));
    assert.equal(tokenizer.decode(tokenizer.encode('\ud83d\ude80')), '\u{1f680}');
  });

  it('keeps a byte order mark', () => {
    assert.equal(tokenizer.decode(tokenizer.encode('\ufeffa')), '\ufeffa');
  });

  it('puts bos first where the specification asks for it', () => {
    const withBos = new Tokenizer({ ...spec, bosTokenId: endOfText, addBosToken: true });
    assert.deepEqual(withBos.encode('the'), [endOfText, ...tokenizer.encode('the')]);
    assert.deepEqual(withBos.encode(''), [endOfText]);
  });
});

describe('added tokens', () => {
  const text = 'the<|im_end|> ship';

  it('that are special are ordinary text unless asked for', () => {
    const ids = tokenizer.encode(text);
    assert.ok(!ids.includes(endOfTurn));
    assert.equal(tokenizer.decode(ids, { skipSpecial: true }), text);
  });

  it('that are special are parsed when asked for', () => {
    const expected = [...tokenizer.encode('the'), endOfTurn, ...tokenizer.encode(' ship')];
    assert.deepEqual(tokenizer.encode(text, { special: true }), expected);
  });

  it('that are not special are always parsed', () => {
    const added = spec.added.map((token) => ({ ...token, special: token.id === endOfText }));
    const lenient = new Tokenizer({ ...spec, added });
    assert.deepEqual(lenient.encode('<|im_start|>'), [startOfTurn]);
    assert.equal(lenient.decode([startOfTurn], { skipSpecial: true }), '<|im_start|>');
  });

  it('split the text before it is normalized', () => {
    const expected = [...tokenizer.encode('e'), endOfTurn, ...tokenizer.encode('\u0301')];
    assert.deepEqual(tokenizer.encode('e<|im_end|>\u0301', { special: true }), expected);
  });

  it('are left out of text for people', () => {
    const ids = [startOfTurn, ...tokenizer.encode('the'), endOfTurn];
    assert.equal(tokenizer.decode(ids, { skipSpecial: true }), 'the');
    assert.equal(tokenizer.decode(ids), '<|im_start|>the<|im_end|>');
  });
});

describe('decoding', () => {
  it('makes U+FFFD of bytes that are no character', () => {
    const [first] = tokenizer.encode('\u{1f680}');
    assert.equal(tokenizer.decode([first!, ...tokenizer.encode('the')]), '\ufffdthe');
  });

  it('gives padding rows no text', () => {
    assert.equal(tokenizer.decode([spec.tokens.length, 2047]), '');
  });

  it('of a stream gives every character when its last byte has come', () => {
    const stream = new StreamDecoder(tokenizer);
    const ids = tokenizer.encode('\u{1f680}é!');
    const parts = ids.map((id) => stream.push(id)).filter((part) => part !== '');
    assert.ok(ids.length > 4, 'the fixture has no tokens for these characters');
    assert.deepEqual(parts, ['\u{1f680}', 'é', '!']);
    assert.equal(stream.end(), '');
  });

  it('of a stream gives what is unfinished at its end', () => {
    const stream = new StreamDecoder(tokenizer, { skipSpecial: true });
    const [first] = tokenizer.encode('\u{1f680}');
    assert.deepEqual([stream.push(first!), stream.push(endOfTurn), stream.end()], ['', '', '\ufffd']);
  });
});

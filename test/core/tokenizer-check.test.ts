import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PressError } from '../../src/core/errors.ts';
import { BYTE_CHARACTERS, bytesOfSpelling } from '../../src/core/tokenizer/byte-alphabet.ts';
import { checkTokenizerSpec, MAX_VOCABULARY } from '../../src/core/tokenizer/tokenizer-check.ts';
import type { TokenizerSpec } from '../../src/core/tokenizer/tokenizer-spec.ts';

describe('the byte-level alphabet', () => {
  it('has a printable character for every byte', () => {
    assert.equal(new Set(BYTE_CHARACTERS).size, 256);
    for (const character of BYTE_CHARACTERS) assert.match(character, /^[^\p{C}\p{Z}]$/u);
  });

  it('spells blank, newline and UTF-8 as GPT-2 does', () => {
    assert.deepEqual(bytesOfSpelling('ĠaĊ'), Uint8Array.of(0x20, 0x61, 0x0a));
    assert.deepEqual(bytesOfSpelling('ÃĬ'), new TextEncoder().encode('Ê'));
    assert.equal(bytesOfSpelling('a b'), undefined);
    assert.equal(bytesOfSpelling('ń'), undefined);
  });
});

describe('a tokenizer of any file', () => {
  const sound: TokenizerSpec = {
    tokens: [...BYTE_CHARACTERS, 'ab', '<s> x'],
    merges: ['a b'],
    added: [{ id: 257, content: '<s> x', special: true }],
    normalizer: 'none',
    preTokenizer: 'qwen2',
    bosTokenId: 257,
    stopTokenIds: [257],
    addBosToken: false,
  };
  const check = (changes: Partial<TokenizerSpec>) =>
    checkTokenizerSpec({ ...sound, ...changes }, { file: 'x.gguf', tokens: 'tokens', merges: 'merges' });

  it('passes where it is sound, blanks in added tokens included', () => check({}));

  const long = (count: number) => Array.from({ length: count }, () => 'a b');
  const table: readonly [what: string, changes: Partial<TokenizerSpec>, message: RegExp][] = [
    ['token twice', { tokens: [...sound.tokens, 'ab'] }, /^x\.gguf: tokens: tokens 256 and 258 are the same/],
    [
      'added token with two texts',
      { added: [{ id: 257, content: 'y', special: true }] },
      /added token 257, got "y"/,
    ],
    ['added token beyond the end', { added: [{ id: 300, content: 'y', special: true }] }, /expected none/],
    ['too many tokens', { tokens: long(MAX_VOCABULARY + 1) }, /tokens: too many tokens, got 1000001/],
    ['too many merges', { merges: long(MAX_VOCABULARY + 1) }, /merges: too many merges, got 1000001/],
    ['merge of an added token', { merges: ['<s> x'] }, /merge 0: not in the vocabulary, got "<s>"/],
    ['merge with an empty part', { merges: [' ab'] }, /merge 0: not in the vocabulary, got ""/],
    ['bos beyond the end', { bosTokenId: 258 }, /^x\.gguf: bos_token_id: not in the vocabulary, got 258/],
    ['stop beyond the end', { stopTokenIds: [257, 300] }, /eos_token_id: not in the vocabulary, got 300/],
  ];
  for (const [what, changes, message] of table) {
    it(`${what}: invalid input`, () => {
      assert.throws(
        () => check(changes),
        (error) =>
          error instanceof PressError && error.failure === 'invalid-input' && message.test(error.message),
      );
    });
  }
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TokenizerSpec } from '../../src/core/tokenizer/tokenizer-spec.ts';
import { assertSameTokenizer } from '../../src/pipeline/sameness/same-tokenizer.ts';
import { SMALL_TOKENIZER } from '../support/builders/hollow-model.ts';
import { pressFailure } from '../support/press-failure.ts';

const CHAT = { name: 'tools', template: '{{ tools }}' };
const SOURCE: TokenizerSpec = { ...SMALL_TOKENIZER, namedChatTemplates: [CHAT] };
const source = { format: 'safetensors', tokenizer: SOURCE } as const;
const { tokens, added } = SOURCE;

describe('an artifact with another tokenizer than its source fails by the first value that differs', () => {
  const changes: readonly [name: string, change: Partial<TokenizerSpec>, message: RegExp][] = [
    ['a token', { tokens: tokens.with(4, 'x') }, /^tokenizer tokens\[4\]: .*, got "x", expected ".+"$/],
    ['a token more', { tokens: [...tokens, 'x'] }, /^tokenizer tokens\[261\]: .*, expected nothing$/],
    ['a token less', { tokens: tokens.slice(0, -1) }, /^tokenizer tokens\[260\]: .*, expected "<tool>"$/],
    ['the order of merges', { merges: SOURCE.merges.toReversed() }, /^tokenizer merges\[0\]: /],
    [
      'a special token that is none',
      { added: added.map((token) => ({ ...token, special: false })) },
      /^tokenizer added\[0\]: .*, expected "258 <\|endoftext\|> true"$/,
    ],
    ['the pre-tokenizer', { preTokenizer: 'gpt2' as 'qwen2' }, /^tokenizer pre_tokenizer\[0\]: /],
    ['a token before the text', { addBosToken: true }, /^tokenizer bos_token\[0\]: /],
    [
      'a stop token',
      { stopTokenIds: [258, 260] },
      /^tokenizer stop_tokens\[1\]: the artifact has another tokenizer than its source, got 260, expected 259$/,
    ],
    ['a stop token less', { stopTokenIds: [258] }, /^tokenizer stop_tokens\[1\]: .*, expected 259$/],
    [
      'the chat template',
      { chatTemplate: '{{ x }}' },
      /^tokenizer chat_template\[0\]: .*, got "\{\{ x \}\}"/,
    ],
    [
      'a chat template of a name',
      { namedChatTemplates: [{ ...CHAT, template: '{{ x }}' }] },
      /^tokenizer chat_templates\[1\]: .*, expected "\{\{ tools \}\}"$/,
    ],
  ];
  for (const [name, change, message] of changes) {
    it(name, () => {
      const compare = () =>
        assertSameTokenizer(source, { format: 'gguf', tokenizer: { ...SOURCE, ...change } });
      assert.throws(compare, pressFailure('verification', message));
    });
  }

  it('but not by the order of stop tokens, nor by what normalizes text', () => {
    const tokenizer: TokenizerSpec = { ...SOURCE, stopTokenIds: [259, 258], normalizer: 'none' };
    assertSameTokenizer(source, { format: 'gguf', tokenizer });
  });
});

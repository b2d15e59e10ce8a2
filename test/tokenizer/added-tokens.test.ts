import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AddedTokenMatcher } from '../../src/tokenizer/added-tokens.ts';

describe('added tokens in a text', () => {
  const contents = ['<a>', '<a><b>', '<a><b><c', 'é', '🚀🚀'];
  const matcher = new AddedTokenMatcher(contents.map((content, id) => ({ id, content, special: true })));
  const table: readonly [rule: string, text: string, found: readonly string[]][] = [
    ['none', 'plain < text', []],
    ['several', 'x<a>y<a>', ['<a>', '<a>']],
    ['the longest of those at one place', '<a><b>', ['<a><b>']],
    ['a longer one that breaks off falls back', '<a><b><d', ['<a><b>']],
    ['matches do not overlap', '🚀🚀🚀', ['🚀🚀']],
    ['composed letters only', 'é e\u0301', ['é']],
    ['a beginning at the end', '<a', []],
  ];
  for (const [rule, text, found] of table) {
    it(rule, () => {
      const matches = [...matcher.matches(text)];
      assert.deepEqual(
        matches.map(({ start, end }) => text.slice(start, end)),
        found,
      );
      assert.deepEqual(
        matches.map(({ id }) => contents[id]),
        found,
      );
    });
  }
});

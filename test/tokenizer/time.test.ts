import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { guardTime } from '../support/drivers/guard-time.ts';
import { qwenSpec } from '../support/oracles/qwen-vocabulary.ts';

describe('time is linear for', () => {
  const tokenizer = new Tokenizer(qwenSpec());
  const million = 1_000_000;
  const texts: Readonly<Record<string, string>> = {
    'a word of a million letters': 'a'.repeat(million),
    'a word of a million letters with no run': 'abcdefghij'.repeat(million / 10),
    'a million spaces before a word': `${' '.repeat(million)}x`,
    'a million newlines': '\n'.repeat(million),
    'a million spaces between newlines': ' \n'.repeat(million / 2),
    'a million tabs, then a sign': `${'\t'.repeat(million)}!`,
    'a million apostrophes': "'".repeat(million),
    'a million digits': '7'.repeat(million),
    'family emoji with zero-width joiners': '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'.repeat(30_000),
    'marks in the wrong order on one letter': `a${'\u0315'.repeat(300_000)}${'\u0316'.repeat(300_000)}`,
    'marks in turns on one letter': `a${'\u0315\u0316'.repeat(300_000)}`,
    'beginnings of an added token': '<|im_'.repeat(million / 5),
    'unpaired surrogates': '\ud83d'.repeat(million),
  };
  for (const [name, text] of Object.entries(texts)) {
    it(name, () => {
      const assertLinear = guardTime();
      const ids = tokenizer.encode(text, { special: true });
      assertLinear();
      assert.ok(ids.length > 0);
    });
  }
});

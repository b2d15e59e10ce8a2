import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pieceEnd } from '../../src/tokenizer/pre-tokenize.ts';

function pieces(text: string): string[] {
  const found: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = pieceEnd(text, start);
    found.push(text.slice(start, end));
    start = end;
  }
  return found;
}

describe('pieces of the Qwen2 pattern', () => {
  const table: readonly [rule: string, pieces: readonly string[]][] = [
    ['a word takes one character before it', ['Hello', ',', ' world', '\tx', '(y', '\u{1f680}z']],
    ['but no newline and no digit', ['\n', 'x', '1', 'x']],
    ['digits stand alone', ['1', '2', '½', '٣']],
    ['contractions in either case', ['they', "'re", ' I', "'M", ' we', "'Ll"]],
    ['the long s is an s', ['it', "'ſ"]],
    ['an apostrophe before another word belongs to it, or to the space before', ["'era", " '", 'er']],
    ['signs take a space before and newlines behind', ['a', ' ...\r\n\n', 'b', '!?']],
    ['spaces leave one for the word behind', ['a', '  ', ' b']],
    ['but none for a digit', ['a', '  ', ' ', '1']],
    ['spaces go up to their last newline', ['a', ' \n \n', ' ', ' b']],
    ['spaces at the end stay together', ['a', '   ']],
    ['U+0085 and U+3000 are spaces', ['!', '\u0085\u3000', '\u3000x']],
    ['U+FEFF, U+200B and combining marks are signs', ['a', '\ufeff\u200b\u0301', ' \ufeff']],
    ['letters beyond the basic plane', ['\u{10400}\u{10401}', '\u{1d7ce}', ' \u{10400}']],
  ];
  for (const [rule, expected] of table) {
    it(rule, () => assert.deepEqual(pieces(expected.join('')), expected));
  }

  it('are those of the pattern as a regular expression', () => {
    const pattern =
      /'(?:[sSſtTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
    const frequent = fc.constantFrom(..." \n\r\t'sSrReElLx1!é\u0085\u00a0\u0301\ufeffſ", '\u{10400}');
    const text = fc.array(fc.oneof({ weight: 4, arbitrary: frequent }, fc.string({ unit: 'binary' })));
    const property = fc.property(text, (parts) => {
      const joined = parts.join('');
      assert.deepEqual(pieces(joined), joined.match(pattern) ?? []);
    });
    fc.assert(property, { seed: 1, numRuns: 3000 });
  });
});

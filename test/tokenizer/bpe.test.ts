import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BYTE_CHARACTERS } from '../../src/core/tokenizer/byte-alphabet.ts';
import { Bpe } from '../../src/tokenizer/bpe.ts';

/** The definition: as long as there is one, apply the merge of the lowest rank to its leftmost pair. */
function naive(text: string, merges: readonly string[]): string[] {
  const symbols = [...text];
  for (;;) {
    const ranks = symbols.slice(1).map((right, i) => merges.indexOf(`${symbols[i]} ${right}`));
    const best = Math.min(...ranks.filter((rank) => rank >= 0));
    if (best === Infinity) return symbols;
    const left = ranks.indexOf(best);
    symbols.splice(left, 2, symbols[left]! + symbols[left + 1]!);
  }
}

function encode(text: string, merges: readonly string[]): string[] {
  const merged = merges.flatMap((merge) => [...merge.split(' '), merge.replace(' ', '')]);
  const tokens = [...new Set([...BYTE_CHARACTERS, ...merged])];
  const bpe = new Bpe(merges, new Map(tokens.map((token, id) => [token, id])));
  const ids: number[] = [];
  bpe.encode(new TextEncoder().encode(text), ids);
  return ids.map((id) => tokens[id]!);
}

describe('byte-pair encoding', () => {
  const table: readonly [rule: string, text: string, merges: readonly string[], tokens: readonly string[]][] =
    [
      ['nothing of nothing', '', ['a b'], []],
      ['bytes where nothing merges', 'abc', [], ['a', 'b', 'c']],
      ['lowest rank first', 'abc', ['b c', 'a b'], ['a', 'bc']],
      ['leftmost first among equals', 'aaa', ['a a'], ['aa', 'a']],
      ['merges of merges', 'aaaaa', ['a a', 'aa aa'], ['aaaa', 'a']],
      ['a merge can take away the next one', 'abab', ['b a', 'a b', 'ab ab'], ['a', 'ba', 'b']],
      ['a rank below one that is done', 'xyz', ['xy z', 'x y'], ['xyz']],
      ['bytes, not characters', 'é', ['Ã ©'], ['Ã©']],
    ];
  for (const [rule, text, merges, tokens] of table) {
    it(rule, () => assert.deepEqual(encode(text, merges), tokens));
  }

  it('does what its definition says for any merges', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 });
    const merges = fc.uniqueArray(
      fc.tuple(part, part).map((pair) => pair.join(' ')),
      { maxLength: 12 },
    );
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 24 });
    const property = fc.property(text, merges, (word, list) => {
      assert.deepEqual(encode(word, list), naive(word, list));
    });
    fc.assert(property, { seed: 1, numRuns: 2000 });
  });
});

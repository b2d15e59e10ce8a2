import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { normalizeNfc } from '../../src/tokenizer/nfc.ts';

describe('normalization form C', () => {
  // Marks of many combining classes, some that decompose, and starters that are marks.
  const marks = [
    ...['\u0300', '\u0301', '\u0315', '\u0316', '\u0334', '\u0345', '\u0344', '\u0f73', '\u05b0', '\u064b'],
    ...['\u093c', '\u094d', '\u302a', '\u3099', '\u{1d165}', '\u{1e8d0}', '\u093e', '\u0488', '\u20dd'],
  ];
  const letters = ['a', 'e\u0323', 'é', '\u1100', '\u1161', '\u0958', ' '];

  it('is that of String.prototype.normalize for runs of marks of any length', () => {
    const run = fc.array(fc.constantFrom(...marks), { minLength: 0, maxLength: 120, size: 'max' });
    const text = fc.array(fc.tuple(fc.constantFrom(...letters), run), { maxLength: 5 });
    const property = fc.property(text, (parts) => {
      const joined = parts.map(([letter, above]) => letter + above.join('')).join('');
      assert.equal(normalizeNfc(joined), joined.normalize('NFC'));
    });
    fc.assert(property, { seed: 1, numRuns: 500 });
  });

  it('knows the class of every mark', () => {
    const all: string[] = [];
    for (let code = 0; code < 0x20000; code++) {
      const character = String.fromCodePoint(code);
      if (/\p{M}/u.test(character)) all.push(character);
    }
    const text = `a${all.reverse().join('')}`;
    assert.ok(all.length > 2000);
    assert.equal(normalizeNfc(text), text.normalize('NFC'));
  });
});

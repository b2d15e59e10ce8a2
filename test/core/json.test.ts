import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { PressError } from '../../src/core/errors.ts';
import { parseJson } from '../../src/core/json/json.ts';
import type { JsonValue } from '../../src/core/json/json-value.ts';
import { guardTime } from '../support/drivers/guard-time.ts';

const parse = (text: string) => parseJson(text, 'x.json').value;

/** A value of the parser as JSON.parse gives it. */
function plain(value: JsonValue): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, member]) => [key, plain(member)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

const ACCEPTED: readonly string[] = [
  'null',
  ' \t\r\n true \n',
  '[]',
  '{}',
  '[ ]',
  '{ }',
  '[1, [2, {"a": [3]}], []]',
  '{"a": {"b": null}, "c": "d"}',
  '-0',
  '0.5e-3',
  '1E+2',
  '9007199254740991',
  '-9007199254740991',
  // The largest model_max_length of tokenizer_config.json files: exactly the double 1e30.
  '1000000000000000019884624838656',
  '"\\u0041\\n\\/\\"\\\\ \\b\\f\\r\\t é 😀 \\ud83d\\ude00"',
  '{"": 1, "a b": 2}',
];

test('accepts what JSON.parse accepts', async (t) => {
  for (const text of ACCEPTED) {
    await t.test(text, () => assert.deepEqual(plain(parse(text)!), JSON.parse(text)));
  }
  await t.test('random documents', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(4), (text, indent) => {
        const value = JSON.parse(text);
        const spelled = JSON.stringify(value, null, indent);
        // Doubles beyond 2^53 are spelled as integers that they only come nearest to, which is refused.
        fc.pre(!/(?<![.\d])\d{16,}(?![.\de])/.test(spelled));
        assert.deepEqual(plain(parseJson(spelled, 'x.json', { anyKey: true }).value!), value);
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});

// biome-ignore format: rows of a table
const REFUSED: readonly (readonly [name: string, text: string, message: RegExp])[] = [
  ['empty file', '', /line 1, column 1: not valid JSON: no value \(the file ends here\)/],
  ['text after the end', '{}\n x', /line 2, column 2: .*text after the end/],
  ['second document', '{}{}', /text after the end/],
  ['byte order mark', '\ufeff{}', /byte order mark/],
  ['comma before a bracket', '[1,]', /line 1, column 4: .*no value/],
  ['comma before a brace', '{"a":1,}', /no key in quotes/],
  ['key without quotes', '{a:1}', /no key in quotes/],
  ['no colon', '{"a" 1}', /no colon/],
  ['no comma', '[1 2]', /no comma or \]/],
  ['wrong bracket', '[1}', /no comma or \]/],
  ['array without an end', '[1', /no comma or \] \(the file ends here\)/],
  ['string without an end', '"abc', /string without an end/],
  ['string that ends in a backslash', '"abc\\', /unknown escape/],
  ['newline in a string', '"a\nb"', /control character/],
  ['NUL after an escape', '"\\n\u0000"', /control character/],
  ['unknown escape', '"\\x41"', /unknown escape/],
  ['short Unicode escape', '"\\u12"', /unknown escape/],
  ['first half of a surrogate pair', '"\\ud83d"', /unpaired surrogate/],
  ['surrogate pair the wrong way round', '"\\ude00\\ud83d"', /unpaired surrogate/],
  ['leading zero', '01', /text after the end/],
  ['leading plus', '+1', /no value/],
  ['no digit before the point', '.5', /no value/],
  ['no digit after the point', '1.', /text after the end/],
  ['lonely minus', '-', /no value/],
  ['hexadecimal', '0x10', /text after the end/],
  ['NaN', '{"a": NaN}', /x\.json: a: not valid JSON, though Python writes it, got "NaN"/],
  ['Infinity', '-Infinity', /though Python writes it, got "-Infinity"/],
  ['cut word', 'tru', /no value/],
  ['comment', '/* */ {}', /no value/],
  ['1e400', '{"hidden_size": 1e400}', /x\.json: hidden_size: number out of range, got "1e400"/],
  [
    '2^53 + 1',
    '{"a": [{"b": 9007199254740993}]}',
    /a\[0\]\.b: integer too large to be exact, got "9007199254740993"/,
  ],
  ['2^64 - 2', '18446744073709551614', /too large to be exact/],
  ['ten thousand digits', '9'.repeat(10_000), /number out of range/],
  ['duplicate key', '{"a":1,"b":{"a b":1,"a b":2}}', /b\["a b"\]: duplicate key/],
  ['duplicate key through an escape', '{"a":1,"\\u0061":2}', /a: duplicate key/],
  ['__proto__', '{"a":[{"__proto__":{}}]}', /a\[0\]\.__proto__: reserved key/],
  ['constructor', '{"constructor":1}', /reserved key/],
  ['prototype', '{"prototype":1}', /reserved key/],
  ['200,000 open arrays', '['.repeat(200_000), /nested deeper than 128/],
  ['200,000 nested objects', '{"a":'.repeat(200_000), /nested deeper than 128/],
];

test('refuses, with the place of the fault', async (t) => {
  for (const [name, text, message] of REFUSED) {
    await t.test(name, () => {
      const assertLinear = guardTime();
      assert.throws(
        () => parse(text),
        (error) => {
          assert.ok(error instanceof PressError);
          assert.equal(error.exitCode, 3);
          assert.match(error.message, /^x\.json: /);
          assert.match(error.message, message);
          return true;
        },
      );
      assertLinear();
    });
  }
});

test('never fails but with a PressError, whatever one byte of a document becomes', () => {
  const text = '{"a": [1, -2.5e3, "x\\u0041\\n"], "b": {"c": true, "d": null}}';
  for (let i = 0; i < text.length; i++) {
    for (const c of ['', '"', '\\', '{', '}', '[', ']', ',', ':', '0', 'e', '-', ' ', '\u0000']) {
      try {
        parse(text.slice(0, i) + c + text.slice(i + 1));
      } catch (error) {
        assert.ok(error instanceof PressError, `${i} ${c}: ${error}`);
      }
    }
  }
});

test('nests as deep as 128 levels', () => {
  assert.doesNotThrow(() => parse(`${'['.repeat(128)}${']'.repeat(128)}`));
  assert.throws(() => parse(`${'['.repeat(129)}${']'.repeat(129)}`), /nested deeper/);
});

test('counts values', () => {
  assert.doesNotThrow(() => parse(`[${'[],'.repeat(1_999_998)}0]`));
  assert.throws(() => parse(`[${'[],'.repeat(1_999_999)}0]`), /more than 2000000 values/);
});

test('takes reserved keys of vocabularies as ordinary ones', () => {
  const { value } = parseJson('{"constructor": 1, "__proto__": 2}', 'x.json', { anyKey: true });
  assert.deepEqual(
    value,
    new Map([
      ['constructor', 1],
      ['__proto__', 2],
    ]),
  );
});

test('counts members', () => {
  const limited = (text: string) => () => parseJson(text, 'x.json', { maxMembers: 2 });
  assert.doesNotThrow(limited('{"a":1,"b":2}'));
  assert.throws(limited('{"q":{"a":1,"b":2,"c":3}}'), /x\.json: q: more than 2 members/);
});

test('parses a tokenizer of 150,000 tokens in time that grows with its length', () => {
  const vocabulary = Array.from({ length: 150_000 }, (_, i) => `"\\u0120token${i}": ${i}`).join(',');
  const merges = Array.from({ length: 150_000 }, (_, i) => `["a${i}", "b${i}"]`).join(',\n');
  const assertLinear = guardTime();
  parse(`{"vocab": {${vocabulary}}, "merges": [${merges}]}`);
  assertLinear();
});

test('fields check type and range and say where they are', async (t) => {
  const root = parseJson('{"a": {"b c": [1, 2.5, "x", null, true]}, "n": -1, "big": 1e300}', 'x.json');
  const items = root.at('a').at('b c').items();
  assert.deepEqual(
    [items[0]!.integer(0), items[1]!.number(), items[2]!.string(), items[3]!.optional(), items[4]!.boolean()],
    [1, 2.5, 'x', undefined, true],
  );
  // biome-ignore format: rows of a table
  const rows: readonly (readonly [string, () => unknown, string])[] = [
    ['missing', () => root.at('z').string(), 'x.json: z: missing, expected a string'],
    ['type', () => items[1]!.string(), 'x.json: a["b c"][1]: wrong value, got 2.5, expected a string'],
    ['fraction', () => items[1]!.integer(0), 'x.json: a["b c"][1]: wrong value, got 2.5, expected an integer of at least 0'],
    ['range', () => root.at('n').integer(0, 9), 'x.json: n: wrong value, got -1, expected an integer from 0 to 9'],
    ['inexact', () => root.at('big').integer(0), 'x.json: big: wrong value, got 1e+300, expected an integer of at least 0'],
    ['boolean', () => root.at('n').boolean(), 'x.json: n: wrong value, got -1, expected true or false'],
    ['number', () => items[2]!.number(), 'x.json: a["b c"][2]: wrong value, got "x", expected a number'],
    ['array', () => root.at('n').items(), 'x.json: n: wrong value, got -1, expected an array'],
    ['object', () => root.at('n').at('x'), 'x.json: n: wrong value, got -1, expected an object'],
  ];
  for (const [name, read, message] of rows) {
    await t.test(name, () => assert.throws(read, (error) => (error as Error).message === message));
  }
});

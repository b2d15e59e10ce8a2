import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatVersion } from '../../src/core/json/format-version.ts';
import { parseJson } from '../../src/core/json/json.ts';
import {
  array,
  boolean,
  choice,
  exact,
  integer,
  matching,
  nullable,
  number,
  object,
  optional,
  type Read,
  record,
  type Schema,
  share,
  string,
  where,
} from '../../src/core/json/schema.ts';
import { pressFailure } from '../support/press-failure.ts';

function read<T>(schema: Schema<T>, text: string): T {
  return schema(parseJson(text, 'f.json'));
}

const person = object({
  name: string,
  age: optional(integer(0)),
  pets: array(object({ kind: choice(['cat', 'dog']), weight: number })),
});

describe('a schema', () => {
  it('reads the declared members in their order, and no others', () => {
    const text = '{"more": 1, "pets": [{"weight": 4.5, "kind": "cat", "x": 0}], "age": 3, "name": "a"}';
    const { name, age, pets } = read(person, text);
    assert.deepEqual({ name, age, pets }, { name: 'a', age: 3, pets: [{ kind: 'cat', weight: 4.5 }] });
    assert.equal(
      JSON.stringify(read(person, text)),
      '{"name":"a","age":3,"pets":[{"kind":"cat","weight":4.5}]}',
    );
  });

  it('leaves out optional members that are absent or null, also in its type', () => {
    for (const age of ['', ', "age": null'])
      assert.deepEqual(Object.keys(read(person, `{"name": "a", "pets": []${age}}`)), ['name', 'pets']);
    const withoutAge: Read<typeof person> = { name: 'a', pets: [] };
    // @ts-expect-error Undefined is not absent.
    const undefinedAge: Read<typeof person> = { name: 'a', age: undefined, pets: [] };
    // @ts-expect-error A required member is missing.
    const nameless: Read<typeof person> = { pets: [] };
    assert.ok(withoutAge && undefinedAge && nameless);
  });

  it('keeps null where null means something', () => {
    assert.deepEqual(read(object({ rank: nullable(integer(1)) }), '{"rank": null}'), { rank: null });
  });

  it('reads maps in the order of the file', () => {
    assert.deepEqual(Object.entries(read(record(boolean), '{"b": true, "a": false}')), [
      ['b', true],
      ['a', false],
    ]);
  });

  const refused: readonly [name: string, schema: Schema<unknown>, text: string, message: RegExp][] = [
    ['a missing member', person, '{"pets": []}', /^f\.json: name: missing, expected a string$/],
    ['a list for an object', person, '[]', /^f\.json: wrong value, got \[\], expected an object$/],
    [
      'a member of an item',
      person,
      '{"name": "a", "pets": [{"kind": "cow", "weight": 1}]}',
      /^f\.json: pets\[0\]\.kind: wrong value, got "cow", expected cat, dog$/,
    ],
    ['null where it is required', object({ rank: nullable(string) }), '{}', /^f\.json: rank: missing/],
    ['an empty list', array(string, { some: 'file' }), '[]', /expected at least one file$/],
    ['a long list', array(string, { max: 1 }), '["a", "b"]', /expected at most 1 items$/],
    ['a member of a map', record(integer(1)), '{"a b": 0}', /^f\.json: \["a b"\]: .*of at least 1$/],
    ['another pattern', matching(/^a$/, 'the letter a'), '"b"', /got "b", expected the letter a$/],
    ['a value that does not hold', where(number, (n) => n > 1, 'above 1'), '1', /got 1, expected above 1$/],
    ['a share', share, '1.1', /expected 0 to 1$/],
    ['an unknown member', exact({ a: string, b: string }), '{"c": 1}', /: c: unknown field, expected a, b$/],
    ['an earlier version', formatVersion(2), '1', /got 1, expected 2$/],
  ];
  for (const [name, schema, text, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(() => read(schema, text), pressFailure('invalid-input', message));
    });
  }

  it('refuses a later version as unsupported, with what to do', () => {
    assert.throws(() => read(formatVersion(2), '3'), pressFailure('unsupported', /got 3.*update plmpress$/));
  });
});

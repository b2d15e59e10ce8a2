import assert from 'node:assert/strict';
import test from 'node:test';
import { parseRange } from '../../src/serve/byte-range.ts';

test('ranges of ten bytes', () => {
  const cases: readonly [header: string | undefined, expected: ReturnType<typeof parseRange>][] = [
    [undefined, 'none'],
    ['bytes=0-', { start: 0, end: 10 }],
    ['bytes=2-4', { start: 2, end: 5 }],
    ['bytes=9-9', { start: 9, end: 10 }],
    ['bytes=8-99', { start: 8, end: 10 }],
    ['bytes=-3', { start: 7, end: 10 }],
    ['bytes=-99', { start: 0, end: 10 }],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=99999999999999999999-', 'unsatisfiable'],
    ['bytes=4-2', 'none'],
    ['bytes=-', 'none'],
    ['bytes=0-1,4-5', 'none'],
    ['bytes=a-b', 'none'],
    ['lines=0-1', 'none'],
  ];
  for (const [header, expected] of cases) assert.deepEqual(parseRange(header, 10), expected, header);
  assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable');
  assert.equal(parseRange('bytes=-1', 0), 'unsatisfiable');
});

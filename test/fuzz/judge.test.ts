import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { invalidInput, usage } from '../../src/core/errors.ts';
import { judge } from './judge.ts';
import type { Subject } from './target.ts';

/** Judges an input whose opening does this. */
const judged = (open: () => void) => {
  const subject = { open: async () => open() } as unknown as Subject;
  return judge({}, subject, new Map());
};
const throws = (error: unknown) => () => {
  throw error;
};

describe('the judge of fuzzed inputs', () => {
  it('takes results, and refusals that name a file', async () => {
    assert.deepEqual(await judged(() => {}), { kind: 'accepted' });
    const refusal = invalidInput({ file: 'a.json', what: 'wrong "x" at 12' });
    assert.deepEqual(await judged(throws(refusal)), {
      kind: 'invalid-input',
      message: 'a.json: wrong "" at 0',
    });
  });

  const FAILURES: readonly (readonly [what: string, open: () => void, message: RegExp])[] = [
    ['a bug', throws(new TypeError('x is null')), /x is null/],
    ['a failure of another class', throws(usage('no')), /fails as usage/],
    ['a message without a file', throws(invalidInput({ what: 'no' })), /names no file/],
    ['memory', () => void Buffer.alloc(400 << 20, 1), /takes \d+ MiB/],
  ];
  for (const [what, open, message] of FAILURES) {
    it(`finds ${what}`, async () => {
      await assert.rejects(judged(open), message);
    });
  }
});

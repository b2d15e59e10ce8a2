import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import test, { describe, it } from 'node:test';
import { MUTATIONS } from '../bench/mutate/index.ts';
import { type Mutation, mutated } from '../bench/mutate/mutation.ts';
import { tryMutations, type Verdict } from '../bench/mutate/try-mutations.ts';
import { repoRoot } from './support/paths.ts';

describe('mutations', () => {
  it('change what is there once, and name tests that are there', () => {
    for (const mutation of MUTATIONS) {
      assert.notEqual(mutated(mutation), mutated({ ...mutation, to: mutation.from }), mutation.breaks);
      assert.ok(mutation.tests.length > 0);
      for (const name of mutation.tests)
        assert.ok(existsSync(path.join(repoRoot, 'test', `${name}.test.ts`)), name);
    }
    assert.equal(new Set(MUTATIONS.map(({ file, breaks }) => `${file}: ${breaks}`)).size, MUTATIONS.length);
  });

  it('are ten at least of each of these folders', () => {
    for (const folder of ['src/io', 'src/hub', 'src/pipeline', 'src/passes', 'src/verify', 'formats']) {
      const count = MUTATIONS.filter(({ file }) => file.startsWith(`${folder}/`)).length;
      assert.ok(count >= 10, `${folder}: ${count}`);
    }
  });

  it('that name what is not there, or there twice, are outdated', () => {
    const mutation: Mutation = { ...PLANTED, from: 'no such text' };
    assert.throws(
      () => mutated(mutation),
      /^Error: src\/core\/text\/local-path\.ts: "no such text" is there 0 times/,
    );
    assert.throws(() => mutated({ ...PLANTED, from: 'e' }), /"e" is there \d+ times, expected once$/);
  });
});

const PLANTED: Mutation = {
  file: 'src/core/text/local-path.ts',
  from: 'return LOCAL_PATH.test(text);',
  to: 'return !LOCAL_PATH.test(text);',
  breaks: 'local paths are those that are none',
  tests: ['core/local-path'],
};

test('a mutation that no test minds is told from one that a test minds', async () => {
  const harmless = { ...PLANTED, to: 'return LOCAL_PATH.exec(text) !== null;' };
  const verdicts: Verdict[] = [];
  for await (const verdict of tryMutations([PLANTED, harmless])) verdicts.push(verdict);
  assert.deepEqual(
    verdicts.map(({ mutation, killed }) => [mutation, killed]),
    [
      [PLANTED, true],
      [harmless, false],
    ],
  );
  assert.match(verdicts[0]!.failures.join(), /^core\/local-path: /);
  assert.deepEqual(verdicts[1]!.failures, []);
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { runCampaign } from './campaign.ts';
import type { Target } from './target.ts';

const SEED = 1;
/** Where fewer are accepted, mutations break files before they get anywhere. */
const LEAST_ACCEPTED = 0.02;

/** A test for each target, of as many cases as it says, always the same. */
export function fuzzTests(targets: readonly Target[]): void {
  for (const { name, cases } of targets) {
    test(`${cases} almost valid inputs of ${name} open, or are refused in one line`, async () => {
      const {
        outcomes,
        failures,
        cases: done,
      } = await runCampaign({
        target: name,
        seed: SEED,
        first: 0,
        cases,
        seconds: Number.POSITIVE_INFINITY,
      });
      const told = failures.map(
        ({ case: index, changes, what }) =>
          `npm run fuzz -- ${name} --seed ${SEED} --case ${index}\n${JSON.stringify(changes)}\n${what}`,
      );
      assert.deepEqual(told, []);
      assert.equal(done, cases);
      const accepted = outcomes.get('accepted') ?? 0;
      assert.ok(accepted > LEAST_ACCEPTED * cases, `${accepted} of ${cases} are accepted`);
    });
  }
}

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SCHEMES, type SchemeName } from '../../src/core/scheme.ts';
import { losses, rounded, roundingOf } from './feedback-rounding.ts';

const COUPLING = 0.04;

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe('scales that are chosen again for their codes', () => {
  for (const scheme of (Object.keys(SCHEMES) as SchemeName[]).filter((name) => SCHEMES[name].hasGrid)) {
    const { groupSize } = SCHEMES[scheme];
    it(`of ${scheme} lose no more in any first group, and less in all`, async () => {
      const rounding = roundingOf(256, COUPLING);
      const [before, after] = [
        await rounded(scheme, rounding, {}),
        await rounded(scheme, rounding, { refits: true }),
      ];
      const [old, now] = [before, after].map((values) => losses(rounding, values, groupSize)) as [
        number[],
        number[],
      ];
      // Residuals are f32 in the kernel.
      for (const [row, loss] of now.entries())
        assert.ok(loss <= old[row]! * (1 + 1e-4), `${row}: ${loss}, ${old[row]}`);
      assert.ok(sum(now) < 0.999 * sum(old), `${sum(now)} beside ${sum(old)}`);
      const all = (values: Float32Array) => sum(losses(rounding, values, rounding.columns));
      assert.ok(all(after) < all(before), `${all(after)} beside ${all(before)}`);
    });
  }

  it('are the same on any number of threads', async () => {
    const rounding = roundingOf(512, COUPLING);
    for (const scheme of ['Q4_K', 'Q6_K', 'Q5_1'] as const) {
      assert.deepEqual(
        await rounded(scheme, rounding, { refits: true, threads: 3 }),
        await rounded(scheme, rounding, { refits: true, threads: 1 }),
      );
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SCHEMES, type SchemeName } from '../../src/core/scheme.ts';
import { DESCENT_COLUMNS } from '../../src/kernels/tiles.ts';
import { losses, rounded, roundingOf } from './feedback-rounding.ts';

const COUPLING = 0.1;

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe('codes that are chosen again beside the others', () => {
  for (const scheme of (Object.keys(SCHEMES) as SchemeName[]).filter((name) => SCHEMES[name].hasGrid)) {
    for (const refits of [false, true]) {
      it(`of ${scheme} lose no more in any row of the first window, and less in all${refits ? ', after a refit' : ''}`, async () => {
        // Of small blocks, a window and a block of the next.
        const columns = DESCENT_COLUMNS + (SCHEMES[scheme].blockSize > 32 ? 0 : 32);
        const rounding = roundingOf(columns, COUPLING);
        const before = await rounded(scheme, rounding, { refits });
        const after = await rounded(scheme, rounding, { refits, descends: true });
        const old = losses(rounding, before, DESCENT_COLUMNS);
        const now = losses(rounding, after, DESCENT_COLUMNS);
        // The gradient is f32 in the kernel.
        for (const [row, loss] of now.entries())
          assert.ok(loss <= old[row]! * (1 + 1e-4), `${row}: ${loss}, ${old[row]}`);
        assert.ok(sum(now) < 0.9 * sum(old), `${sum(now)} beside ${sum(old)}`);
      });
    }
  }

  it('are the same on any number of threads', async () => {
    const rounding = roundingOf(512, COUPLING);
    for (const scheme of ['Q4_K', 'Q6_K', 'IQ4_NL'] as const) {
      const [one, three] = [1, 3].map((threads) =>
        rounded(scheme, rounding, { refits: true, descends: true, threads }),
      );
      assert.deepEqual(await three, await one);
    }
  });
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { SCHEMES, type SchemeName } from '../../src/core/scheme.ts';
import { decoderOf } from '../../src/schemes/index.ts';
import { gaussian } from '../support/builders/samples.ts';
import { codeGridOf, encoded } from '../support/oracles/schemes/index.ts';

for (const scheme of Object.keys(SCHEMES) as SchemeName[]) {
  if (!SCHEMES[scheme].hasGrid) continue;
  const grid = codeGridOf(scheme)!;
  const { blockSize, blockBytes } = SCHEMES[scheme];

  test(`${scheme}: a code that is exchanged decodes to what it stands for, and no other changes`, () => {
    const next = gaussian(3);
    const weights = Float32Array.from({ length: 2 * blockSize }, next);
    const blocks = encoded(scheme, weights);
    const decoded = () => {
      const values = new Float32Array(2 * blockSize);
      decoderOf(scheme)(blocks, 0, values, 0, 2 * blockSize);
      return values;
    };
    const expected = decoded();
    const { largestCode, levels } = grid;
    for (let index = 0; index < blockSize; index++) {
      const code = (7 * index + 3) % (largestCode + 1);
      grid.setCode(blocks, blockBytes, index, code);
      const step = grid.stepOf(blocks, blockBytes, index >> 4);
      expected[blockSize + index] =
        step * (levels?.[code] ?? code) - grid.minOf(blocks, blockBytes, index >> 4);
    }
    const got = decoded();
    // A decoder may multiply by code less offset, where this subtracts the offset's product: one rounding
    // apart.
    const ulp = 2 ** -22 * expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [at, value] of got.entries()) {
      assert.ok(Math.abs(value - expected[at]!) <= ulp, `weight ${at}: ${value}, not ${expected[at]}`);
    }
    assert.deepEqual(got.subarray(0, blockSize), expected.subarray(0, blockSize));
  });
}

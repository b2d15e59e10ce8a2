import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SCHEMES, type SchemeName } from '../../src/core/scheme.ts';
import { heat, schemeFills } from '../../src/report/drawing/palette.ts';
import { contrast } from '../support/oracles/contrast.ts';

describe('colours', () => {
  it('of heat can be read at every share', () => {
    for (let share = -0.1; share < 1.1; share += 0.01) {
      const { fill, ink } = heat(share);
      assert.ok(contrast(fill, ink) >= 4.5, `${fill} ${ink}`);
    }
  });

  it('of heat darken as the share grows', () => {
    const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => contrast(heat(share).fill, '#ffffff'));
    assert.deepEqual(
      steps,
      steps.toSorted((a, b) => a - b),
    );
    assert.equal(heat(Infinity).fill, heat(1).fill);
  });

  it('of schemes differ, by bits, and black can be read on them', () => {
    const fills = schemeFills(['Q6_K', 'Q2_K', 'F32', 'Q4_K', 'Q6_K']);
    assert.deepEqual([...fills.keys()], ['Q2_K', 'Q4_K', 'Q6_K', 'F32']);
    assert.equal(new Set(fills.values()).size, 4);
    for (const fill of schemeFills(Object.keys(SCHEMES) as SchemeName[]).values()) {
      assert.ok(contrast(fill, '#000000') >= 4.5, fill);
    }
  });
});

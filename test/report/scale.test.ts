import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linearScale, logScale } from '../../src/report/drawing/scale.ts';

const rounded = (values: readonly number[]) => values.map((value) => Number(value.toPrecision(6)));

describe('a linear scale', () => {
  it('maps ends to ends and the middle to the middle', () => {
    const scale = linearScale([0, 50], [100, 0]);
    assert.deepEqual([0, 25, 50].map(scale.at), [100, 50, 0]);
  });

  for (const [low, high, ticks] of [
    [0, 100, [0, 50, 100]],
    [0, 0.07, [0, 0.02, 0.04, 0.06]],
    [0.3, 0.9, [0.4, 0.6, 0.8]],
    [0, 1023, [0, 500, 1000]],
    [3, 3, [3, 4, 5, 6]],
    [0, 0, [0, 0.5, 1]],
  ] as const) {
    it(`labels ${low} to ${high} by round steps`, () => {
      assert.deepEqual(rounded(linearScale([low, high], [0, 1]).ticks), [...ticks]);
    });
  }
});

describe('a logarithmic scale', () => {
  it('has equal steps for equal ratios', () => {
    const { at, ticks } = logScale([1e-4, 1], [0, 400]);
    assert.deepEqual(ticks, [1e-4, 1e-3, 1e-2, 0.1, 1]);
    assert.deepEqual(
      ticks.map((tick) => Math.round(at(tick))),
      [0, 100, 200, 300, 400],
    );
  });

  it('labels a short range within its decade', () => {
    assert.deepEqual(logScale([0.015, 0.3], [0, 1]).ticks, [0.02, 0.05, 0.1, 0.2]);
  });

  it('sends what is outside to its ends', () => {
    const { at } = logScale([0.01, 1], [0, 10]);
    assert.deepEqual([at(0), at(1e-9), at(50), at(Infinity)], [0, 0, 10, 10]);
  });
});

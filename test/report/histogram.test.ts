import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { averages } from '../../src/report/drawing/averages.ts';
import { logHistogram } from '../../src/report/drawing/histogram.ts';

describe('a histogram of magnitudes', () => {
  it('counts every value once, in the bin that holds it', () => {
    const value = fc.oneof(
      fc.double({ min: 0, max: 100, noNaN: true }),
      fc.integer({ min: -12, max: 3 }).map((power) => 10 ** (power / 4)),
      fc.constantFrom(0, Infinity),
    );
    fc.assert(
      fc.property(fc.array(value), (values) => {
        const { bins, below, infinite } = logHistogram(values);
        assert.equal(
          bins.reduce((sum, { count }) => sum + count, below + infinite),
          values.length,
        );
        for (const { from, to, count } of bins) {
          assert.equal(values.filter((value) => value >= from && value < to).length, count);
        }
        for (const [index, { from }] of bins.slice(1).entries()) assert.equal(from, bins[index]!.to);
      }),
    );
  });

  it('has four bins a decade, those between included', () => {
    const { bins } = logHistogram([1e-3, 2e-3, 0.5]);
    assert.equal(bins.length, 11);
    assert.deepEqual(
      bins.map(({ count }) => count),
      [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    );
    assert.equal(bins[0]!.from, 1e-3);
  });

  it('sets aside what is equal but for rounding, and what is no number', () => {
    assert.deepEqual(logHistogram([0, 1e-10, Infinity]), { bins: [], below: 2, infinite: 1 });
  });
});

describe('averages', () => {
  it('are of stretches of equal length, the last one shorter', () => {
    assert.deepEqual(
      averages([1, 2, 3, 4, 5], (index) => index, 5, 3),
      [
        { first: 0, last: 1, mean: 1.5 },
        { first: 2, last: 3, mean: 3.5 },
        { first: 4, last: 4, mean: 5 },
      ],
    );
  });

  it('take all values of a place together', () => {
    const byPosition = averages([1, 2, 3, 5], (index) => index % 3, 3, 64);
    assert.deepEqual(
      byPosition.map(({ mean }) => mean),
      [3, 2, 3],
    );
  });

  it('are infinite where a value is', () => {
    assert.equal(averages([1, Infinity], (index) => index, 2, 1)[0]!.mean, Infinity);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jsonFloats } from '../../../src/cli/ui/json-floats.ts';
import { PressError } from '../../../src/core/errors.ts';
import { floats, uniform } from '../../support/builders/samples.ts';

const textOf = (values: Float32Array) => [...jsonFloats(values)].join('');

describe('a JSON array of f32', () => {
  const rows: readonly [number[], string][] = [
    [[], '[]'],
    [[0, -0, 1], '[0, 0, 1]'],
    [[0.1, -2.5, 1 / 3], '[0.1, -2.5, 0.33333334]'],
    [[16777216, 3.4028234663852886e38, 1.401298464324817e-45], '[16777216, 3.4028235e+38, 1.4013e-45]'],
  ];
  for (const [values, text] of rows) {
    it(text, () => assert.equal(textOf(Float32Array.from(values)), text));
  }

  it('gives back every bit of random values, however many', () => {
    const next = uniform(1);
    const values = floats(40_000, () => (next() - 0.5) * 10 ** (8 * next() - 4));
    assert.deepEqual(Float32Array.from(JSON.parse(textOf(values))), values);
  });

  it('comes in pieces', () => assert.ok([...jsonFloats(new Float32Array(100_000))].length > 5));

  it('has no word for what is not a number', () => {
    assert.throws(() => textOf(Float32Array.of(Number.NaN)), PressError);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type SchemeName, schemeBytes } from '../../src/core/scheme.ts';
import { decoderOf } from '../../src/schemes/index.ts';
import { usableImportances } from '../../src/schemes/usable-importances.ts';
import { Dice } from '../support/builders/dice.ts';
import { gaussian } from '../support/builders/samples.ts';
import { encoderOf } from '../support/oracles/schemes/index.ts';

const COLUMNS = 1024;
const GROUP = 16;
/**
 * Of a group, root mean square beside that of the weights; random importances leave at most half of these.
 */
const WORST: readonly (readonly [scheme: SchemeName, error: number])[] = [
  ['Q4_0', 0.6],
  ['Q4_1', 0.6],
  ['Q5_0', 0.4],
  ['Q5_1', 0.4],
  ['IQ4_NL', 0.5],
  ['IQ4_XS', 0.5],
  ['Q2_K', 1],
  ['Q3_K', 0.8],
  ['Q4_K', 0.6],
  ['Q5_K', 0.4],
  ['Q6_K', 0.25],
];
/** Importances that the searches of ggml lose groups or whole tensors by. */
const EXTREMES: Readonly<Record<string, readonly number[]>> = {
  '1e-45': [1.4e-45],
  '3e38': [3e38],
  zero: [0],
  'from 0 to 3e38': [0, 1e-45, 1e-30, 1e-10, 1, 1e10, 3e38],
  '1e-45 or 3e38': [1e-45, 3e38],
  'one column in eight': [0, 0, 0, 0, 0, 0, 0, 1],
  'one column in fifty': [...new Array<number>(49).fill(0), 1],
};

function encoded(scheme: SchemeName, x: Float32Array, importances: Float32Array) {
  const bytes = new Uint8Array(schemeBytes(scheme, COLUMNS));
  encoderOf(scheme)(x, 0, bytes, 0, COLUMNS, importances);
  return bytes;
}

function worstError(scheme: SchemeName, x: Float32Array, bytes: Uint8Array): number {
  const found = new Float32Array(COLUMNS);
  decoderOf(scheme)(bytes, 0, found, 0, COLUMNS);
  let worst = 0;
  for (let first = 0; first < COLUMNS; first += GROUP) {
    const squares = (of: (i: number) => number) =>
      Array.from({ length: GROUP }, (_, i) => of(first + i) ** 2).reduce((sum, square) => sum + square);
    const error = Math.sqrt(squares((i) => found[i]! - x[i]!) / squares((i) => x[i]!));
    assert.ok(Number.isFinite(error), `group at ${first}`);
    worst = Math.max(worst, error);
  }
  return worst;
}

describe('usable importances', () => {
  for (const [name, values] of Object.entries(EXTREMES)) {
    it(`of ${name} lose no group of weights in any scheme`, () => {
      const [next, roll] = [gaussian(7), new Dice(7)];
      for (const [scheme, limit] of WORST) {
        for (let row = 0; row < 4; row++) {
          const x = Float32Array.from({ length: COLUMNS }, () => 0.02 * next());
          const importances = Float32Array.from(
            { length: COLUMNS },
            () => values[roll.below(values.length)]!,
          );
          const error = worstError(scheme, x, encoded(scheme, x, usableImportances(importances, scheme)));
          assert.ok(error <= limit, `${scheme}: ${error}`);
        }
      }
    });
  }

  it('give the bytes of the plain ones where models are ordinary, silent columns included', () => {
    const [next, roll] = [gaussian(8), new Dice(8)];
    for (const scale of [1e-6, 1, 1e5]) {
      for (const [scheme] of WORST) {
        const x = Float32Array.from({ length: COLUMNS }, () => 0.02 * next());
        const importances = Float32Array.from({ length: COLUMNS }, () =>
          roll.below(3) === 0 ? 0 : scale * next() ** 2,
        );
        const [usable, plain] = [usableImportances(importances, scheme), importances];
        assert.deepEqual(encoded(scheme, x, usable), encoded(scheme, x, plain), `${scheme} ${scale}`);
      }
    }
  });

  it('lets floats alone, and leaves the caller its values', () => {
    const importances = Float32Array.of(3e38, 0);
    assert.equal(usableImportances(importances, 'F16'), importances);
    const many = new Float32Array(256).fill(1e-45);
    usableImportances(many, 'Q4_K');
    assert.deepEqual(many, new Float32Array(256).fill(1e-45));
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { closeModel, type Model } from '../../src/core/model.ts';
import type { Statistics } from '../../src/core/statistics.ts';
import { parsePassRequest, runPass, runPasses } from '../../src/passes/run.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel } from '../support/builders/memory-model.ts';
import { fixtureText, madeUpStatistics, statisticsOver } from '../support/builders/statistics.ts';
import { assertEndsAtTurn } from '../support/ends-at-turn.ts';
import { fixture } from '../support/paths.ts';

const TEXT = fixtureText('calibration', 2000);

const closeTo = (actual: ArrayLike<number>, expected: ArrayLike<number>, what: string) => {
  assert.equal(actual.length, expected.length, what);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]!));
  for (let i = 0; i < expected.length; i++) {
    // Passes round weights to f32, and sums are f32.
    const error = Math.abs(actual[i]! - expected[i]!);
    const tolerance = 1e-3 * Math.abs(expected[i]!) + 1e-5 * largest;
    assert.ok(error <= tolerance, `${what}[${i}]: ${actual[i]}, expected ${expected[i]}`);
  }
};

async function squaresOf({ inputs }: Statistics): Promise<Map<string, Float32Array>> {
  const squares = new Map<string, Float32Array>();
  for (const [matrix, { meanSquares }] of inputs) squares.set(matrix, await meanSquares());
  return squares;
}

/** Asserts that what the passes make of statistics is what a calibration of the rewritten model finds. */
async function assertFollows(
  model: Model,
  passes: readonly string[],
  t: Parameters<typeof statisticsOver>[0],
) {
  const statistics = await statisticsOver(t, model, TEXT);
  const imatrix = { name: 'x', sha256: '', datasets: [], chunks: 1, notes: [] };
  const importances = { ...imatrix, entries: await squaresOf(statistics) };
  const after = await runPasses({ ...model, statistics, importances }, passes.map(parsePassRequest));
  const measured = await statisticsOver(t, { ...after }, TEXT);
  for (const [matrix, values] of await squaresOf(after.statistics!)) {
    closeTo(values, await measured.inputs.get(matrix)!.meanSquares(), matrix);
    assert.equal(after.statistics!.inputs.get(matrix)!.channels, values.length);
    assert.deepEqual(after.importances!.entries.get(matrix), values);
  }
  for (const [layer, neurons] of after.statistics!.neurons()!.entries()) {
    const expected = measured.neurons()![layer]!;
    for (const key of ['firings', 'means', 'meanSquares', 'outputSquares'] as const) {
      closeTo(neurons[key], expected[key], `${key} ${layer}`);
    }
    assert.deepEqual(neurons.fired, expected.fired);
  }
  for (const [matrix, { moments }] of after.statistics!.inputs) {
    if (moments === undefined) continue;
    const order = [3, 0, 7, 5];
    const expected = await measured.inputs.get(matrix)!.moments!.triangle(order);
    closeTo(await moments.triangle(order), expected, `moments of ${matrix}`);
  }
  return after;
}

describe('importances and statistics stay those of the model after', () => {
  for (const passes of [
    ['fold-norms'],
    ['scale-inputs'],
    ['scale-ffn'],
    ['reorder-neurons'],
    ['rotate-latent'],
    ['reorder-neurons', 'fold-norms', 'scale-inputs', 'scale-ffn'],
  ]) {
    it(passes.join(', '), async (t) => {
      const model = await openSource(fixture('plm-tiny'));
      t.after(() => closeModel(model));
      const after = await assertFollows(model, passes, t);
      const knows = after.statistics!.inputs.has('blk.0.attn_kv_b.weight');
      assert.equal(knows, !passes.includes('rotate-latent'));
    });
  }
});

it('reorder-neurons ends between two groups', async (t) => {
  const model = { ...memoryModel(SMALL_PLM), statistics: madeUpStatistics(SMALL_PLM) };
  await assertEndsAtTurn(t, (signal) => runPass(model, parsePassRequest('reorder-neurons'), { signal }));
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leastSquares } from '../../../src/passes/prune/least-squares.ts';
import { rateBound } from '../../../src/passes/prune/measure.ts';
import { Repairs } from '../../../src/passes/prune/repairs.ts';
import { rankingOf, type Score, scoresOf } from '../../../src/passes/prune/scores.ts';
import { chooseWidths } from '../../../src/passes/prune/widths.ts';
import { rowStart } from '../../../src/passes/rounding/cholesky.ts';
import { SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { memoryModel } from '../../support/builders/memory-model.ts';
import { gaussian } from '../../support/builders/samples.ts';
import { correlatedStatistics, madeUpStatistics } from '../../support/builders/statistics.ts';
import { assertEndsAtTurn } from '../../support/ends-at-turn.ts';

/** Second moments of `n` correlated channels over `tokens` made-up tokens. */
function moments(n: number, tokens: number): number[][] {
  const next = gaussian(3);
  const matrix = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  for (let t = 0; t < tokens; t++) {
    const shared = next();
    const h = Array.from({ length: n }, () => Math.max(0, shared + next()) ** 2);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) matrix[i]![j]! += (h[i]! * h[j]!) / tokens;
  }
  return matrix;
}

const packed = (matrix: number[][]) => Float64Array.from(matrix.flatMap((row, i) => row.slice(0, i + 1)));

describe('least squares', () => {
  it('solves A (C_KK + lambda I) = C_RK, and leaves L_RK L_RK^T = A C_KR', async () => {
    const [kept, removed] = [13, 5];
    const c = moments(kept + removed, 60);
    const triangle = packed(c);
    const { correction, lambda } = await leastSquares(triangle, kept, removed, 0.02);
    const trace = c.slice(0, kept).reduce((sum, row, i) => sum + row[i]!, 0);
    assert.ok(Math.abs(lambda - (0.02 * trace) / kept) < 1e-12);
    const a = (r: number, k: number) => correction[r * kept + k]!;
    for (let r = 0; r < removed; r++) {
      for (let k = 0; k < kept; k++) {
        let sum = lambda * a(r, k);
        for (let j = 0; j < kept; j++) sum += a(r, j) * c[j]![k]!;
        assert.ok(Math.abs(sum - c[kept + r]![k]!) < 1e-5, `${r}, ${k}: ${sum}`);
      }
      let [taken, expected] = [0, 0];
      for (let k = 0; k < kept; k++) {
        taken += triangle[rowStart(kept + r) + k]! ** 2;
        expected += a(r, k) * c[kept + r]![k]!;
      }
      assert.ok(Math.abs(taken - expected) < 1e-5 * expected);
    }
  });

  it('takes over nothing from and for neurons that never fire', async () => {
    const c = moments(6, 40);
    for (const dead of [1, 5]) for (let i = 0; i < 6; i++) [c[dead]![i], c[i]![dead]] = [0, 0];
    const { correction } = await leastSquares(packed(c), 4, 2, 0.01);
    for (let k = 0; k < 4; k++) assert.equal(correction[4 + k], 0);
    assert.equal(correction[1], 0);
    const { correction: silent } = await leastSquares(new Float64Array(21), 4, 2, 0.01);
    assert.deepEqual([...silent], new Array(8).fill(0));
  });

  it('end while they factor, and while they solve', async (t) => {
    const solve = (kept: number, removed: number) => (signal: AbortSignal) =>
      leastSquares(packed(moments(kept + removed, 9)), kept, removed, 0.01, signal);
    await assertEndsAtTurn(t, solve(3, 1));
    // After the turn of the one row that is kept.
    await assertEndsAtTurn(t, solve(1, 3), 2);
  });
});

it('a repair that was dropped is solved for again, once for all that ask in turn', async () => {
  const statistics = correlatedStatistics(SMALL_PLM);
  const [kept, removed] = [Int32Array.of(0, 2, 3), Int32Array.of(1)];
  const pruned = { model: memoryModel(SMALL_PLM), statistics, layer: 1, kept, removed, damping: 0.02 };
  const triangle = await statistics.moments.get('blk.1.ffn_down.weight')!.triangle([0, 2, 3, 1]);
  const repairs = new Repairs();
  const found = repairs.of(pruned);
  assert.deepEqual(await found, await leastSquares(triangle, 3, 1, 0.02));
  assert.equal(repairs.of(pruned), found);
  const other = await repairs.of({ ...pruned, layer: 0, kept: Int32Array.of(0, 3), removed });
  assert.equal(other.correction.length, 2);
});

describe('the bound of a rate', () => {
  it('is that of 2.7 hits where there was none, and closes in on the rate', () => {
    assert.ok(Math.abs(rateBound(0, 1000) - 2.7e-3) < 2e-5);
    assert.ok(rateBound(50, 1000) > 0.05 && rateBound(50, 1000) < 0.065);
    assert.equal(rateBound(1000, 1000), 1);
  });
});

describe('scores of neurons', () => {
  const made = madeUpStatistics(SMALL_PLM).neurons[0]!;
  const neurons = {
    ...made,
    firings: Float32Array.of(3, 1, 2),
    means: Float32Array.of(1, 0, 1.5),
    meanSquares: Float32Array.of(2, 4, 3),
  };
  const columnSquares = Float64Array.of(9, 1, 2);
  const expected: readonly [score: Score, values: number[]][] = [
    ['firing', [3, 1, 2]],
    ['wanda', [18, 4, 6]],
    ['fluctuation', [9, 4, 1.5]],
  ];
  for (const [score, values] of expected) {
    it(score, () => assert.deepEqual([...scoresOf(score, neurons, columnSquares, 0)], values));
  }

  it('rank the least needed first, of equal ones the lower index', () => {
    assert.deepEqual([...rankingOf(Float64Array.of(3, 1, 2, 1))], [1, 3, 2, 0]);
  });
});

describe('widths', () => {
  const layer = (silent: number, ...losses: number[]) => ({ silent, losses: Float64Array.from(losses) });
  const layers = [layer(3, 0, 0, 0, 0, 1, 2, 3, 4, 5), layer(1, 0, 0, 2, 4, 6, 8, 10, 12, 14)];
  const options = { ratio: 0, width: 0, budget: 0, widths: 'layer', multiple: 1 };

  it('without a wish, only silent neurons go', () => {
    assert.deepEqual(chooseWidths(layers, options), [5, 7]);
    assert.deepEqual(chooseWidths(layers, { ...options, widths: 'uniform' }), [7, 7]);
  });

  it('by ratio, by width, by budget', () => {
    assert.deepEqual(chooseWidths(layers, { ...options, ratio: 0.25 }), [6, 6]);
    assert.deepEqual(chooseWidths(layers, { ...options, width: 3 }), [3, 3]);
    assert.deepEqual(chooseWidths(layers, { ...options, width: 99 }), [8, 8]);
    assert.deepEqual(chooseWidths(layers, { ...options, budget: 2 }), [3, 6]);
    assert.deepEqual(chooseWidths(layers, { ...options, budget: 2, widths: 'uniform' }), [6, 6]);
    assert.deepEqual(chooseWidths(layers, { ...options, budget: 99 }), [1, 1]);
  });

  it('are rounded up to multiples, and never beyond what is there', () => {
    assert.deepEqual(chooseWidths(layers, { ...options, ratio: 0.5, multiple: 3 }), [6, 6]);
    assert.deepEqual(chooseWidths(layers, { ...options, ratio: 0.1, multiple: 256 }), [8, 8]);
  });
});

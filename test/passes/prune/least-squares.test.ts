import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { layerTensorName } from '../../../src/core/names.ts';
import { triangleSize } from '../../../src/core/statistics.ts';
import { leastSquares } from '../../../src/passes/prune/least-squares.ts';
import { rateBound, relativeLoss } from '../../../src/passes/prune/measure.ts';
import { Repairs } from '../../../src/passes/prune/repairs.ts';
import { rankingOf, type Score, scoresOf } from '../../../src/passes/prune/scores.ts';
import { chooseWidths } from '../../../src/passes/prune/widths.ts';
import { statisticsOf } from '../../../src/passes/rounding/activations.ts';
import { regression } from '../../../src/pipeline/algebra/regression.ts';
import { SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { memoryModel, memoryTensor, tensorValues } from '../../support/builders/memory-model.ts';
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

const regress = regression(2);

/** Without weights of down_proj: what each kept neuron takes over from each removed one. */
const solve = (triangle: Float64Array, kept: number, removed: number, damping: number) => {
  const weights = Float32Array.from({ length: removed ** 2 }, (_, i) => Number(i % (removed + 1) === 0));
  return leastSquares({ triangle, pivots: kept, weights }, damping, regress);
};

describe('least squares', () => {
  it('solves A (C_KK + lambda I) = C_RK, and leaves C_RR - A C_KR', async () => {
    for (const [kept, removed] of [
      [13, 5],
      [150, 20],
    ] as const) {
      const c = moments(kept + removed, 400);
      const triangle = packed(c);
      const { correction, lambda } = await solve(triangle, kept, removed, 0.02);
      const trace = c.slice(0, kept).reduce((sum, row, i) => sum + row[i]!, 0);
      assert.ok(Math.abs(lambda - (0.02 * trace) / kept) < 1e-12);
      const a = (r: number, k: number) => correction[r * kept + k]!;
      for (let r = 0; r < removed; r++) {
        for (let k = 0; k < kept; k++) {
          let sum = lambda * a(r, k);
          for (let j = 0; j < kept; j++) sum += a(r, j) * c[j]![k]!;
          assert.ok(Math.abs(sum - c[kept + r]![k]!) < 1e-4, `${r}, ${k}: ${sum}`);
        }
        for (let s = 0; s <= r; s++) {
          let left = c[kept + r]![kept + s]!;
          for (let k = 0; k < kept; k++) left -= a(r, k) * c[kept + s]![k]!;
          const found = triangle[triangleSize(kept + r) + kept + s]!;
          assert.ok(Math.abs(found - left) < 1e-4, `${r}, ${s}: ${found}, ${left}`);
        }
      }
    }
  });

  it('multiplies by the weights of the removed neurons', async () => {
    const [kept, removed, rows] = [9, 4, 131];
    const next = gaussian(5);
    const weights = Float32Array.from({ length: rows * removed }, next);
    const triangle = () => packed(moments(kept + removed, 60));
    const { correction: a } = await solve(triangle(), kept, removed, 0.01);
    const problem = { triangle: triangle(), pivots: kept, weights };
    const { correction } = await leastSquares(problem, 0.01, regress);
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < kept; k++) {
        let sum = 0;
        for (let r = 0; r < removed; r++) sum += weights[row * removed + r]! * a[r * kept + k]!;
        assert.ok(Math.abs(correction[row * kept + k]! - sum) < 1e-5, `${row}, ${k}`);
      }
    }
  });

  it('takes over nothing from and for neurons that never fire', async () => {
    const c = moments(6, 40);
    for (const dead of [1, 5]) for (let i = 0; i < 6; i++) [c[dead]![i], c[i]![dead]] = [0, 0];
    const { correction } = await solve(packed(c), 4, 2, 0.01);
    for (let k = 0; k < 4; k++) assert.equal(correction[4 + k], 0);
    assert.equal(correction[1], 0);
    const { correction: silent } = await solve(new Float64Array(21), 4, 2, 0.01);
    assert.deepEqual([...silent], new Array(8).fill(0));
  });

  it('end while the regression works', async (t) => {
    for (const turn of [1, 2, 4]) {
      const triangle = packed(moments(12, 9));
      const problem = { triangle, pivots: 9, weights: new Float32Array(3) };
      await assertEndsAtTurn(t, (signal) => leastSquares(problem, 0.01, regression(1), signal), turn);
    }
  });
});

it('the measured loss of a fit is that of its weights, lambda or not', async () => {
  const [kept, removed, hidden] = [7, 3, 4];
  const n = kept + removed;
  const c = moments(n, 50);
  const next = gaussian(8);
  const weights = Float32Array.from({ length: hidden * n }, next);
  const down = memoryTensor('down', [hidden, n], weights);
  const triangle = packed(c);
  const problem = {
    triangle,
    pivots: kept,
    weights: weights.filter((_, i) => i % n >= kept),
  };
  const repair = await leastSquares(problem, 0.5, regress);
  const outputSquares = new Float32Array(hidden).fill(2);
  const found = await relativeLoss({
    down,
    neurons: { ...madeUpStatistics(SMALL_PLM).neurons()![0]!, means: new Float32Array(n), outputSquares },
    kept: Int32Array.from({ length: kept }, (_, i) => i),
    removed: Int32Array.from({ length: removed }, (_, i) => kept + i),
    triangle,
    repair,
    bias: false,
  });
  let error = 0;
  for (let row = 0; row < hidden; row++) {
    // What is lost of the output: the removed neurons, less what the kept ones take over.
    const lost = Array.from({ length: n }, (_, i) =>
      i < kept ? -repair.correction[row * kept + i]! : weights[row * n + i]!,
    );
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) error += lost[i]! * lost[j]! * c[i]![j]!;
  }
  assert.ok(Math.abs(found / (error / (2 * hidden)) - 1) < 1e-5, `${found}, ${error / (2 * hidden)}`);
});

it('a repair that was dropped is solved for again, once for all that ask in turn', async () => {
  const statistics = statisticsOf({ statistics: correlatedStatistics(SMALL_PLM) });
  const [kept, removed] = [Int32Array.of(0, 2, 3), Int32Array.of(1)];
  const model = memoryModel(SMALL_PLM);
  const pruned = { model, statistics, layer: 1, kept, removed, damping: 0.02 };
  const triangle = await statistics.inputs.get('blk.1.ffn_down.weight')!.moments!.triangle([0, 2, 3, 1]);
  const repairs = new Repairs(regress);
  const found = repairs.of(pruned);
  const down = model.tensors.get(layerTensorName('down_proj', 1))!;
  const weights = (await tensorValues(down)).filter((_, i) => i % down.shape[1]! === 1);
  const problem = { triangle, pivots: 3, weights };
  assert.deepEqual(await found, await leastSquares(problem, 0.02, regress));
  assert.equal(repairs.of(pruned), found);
  const other = await repairs.of({ ...pruned, layer: 0, kept: Int32Array.of(0, 3), removed });
  assert.equal(other.correction.length, 2 * down.shape[0]!);
});

describe('the bound of a rate', () => {
  it('is that of 2.7 hits where there was none, and closes in on the rate', () => {
    assert.ok(Math.abs(rateBound(0, 1000) - 2.7e-3) < 2e-5);
    assert.ok(rateBound(50, 1000) > 0.05 && rateBound(50, 1000) < 0.065);
    assert.equal(rateBound(1000, 1000), 1);
  });
});

describe('scores of neurons', () => {
  const made = madeUpStatistics(SMALL_PLM).neurons()![0]!;
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

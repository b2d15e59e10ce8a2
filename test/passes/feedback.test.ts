import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planGguf } from '../../formats/gguf/export.ts';
import type { Model } from '../../src/core/model.ts';
import { plmTensors } from '../../src/core/names.ts';
import {
  type InputStatistics,
  type Moments,
  type Statistics,
  triangleSize,
} from '../../src/core/statistics.ts';
import { calibratedRounding } from '../../src/passes/rounding/calibrated-rounding.ts';
import { feedbackTriangle, shareOfChance } from '../../src/passes/rounding/feedback.ts';
import { roundedModel } from '../../src/pipeline/allocation/round.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel, memoryTensor, tensorValues } from '../support/builders/memory-model.ts';
import { gaussian } from '../support/builders/samples.ts';
import { inputsOf as knownInputs, madeUpStatistics } from '../support/builders/statistics.ts';
import { choleskyOf } from '../support/oracles/cholesky.ts';

/** Moments of `tokens` inputs of `size` channels. */
function momentsOf(inputs: readonly Float64Array[], size: number): Moments {
  const product = (i: number, j: number) => inputs.reduce((sum, x) => sum + x[i]! * x[j]!, 0) / inputs.length;
  return {
    size,
    triangle: async (order, _signal, into) => {
      const values = Array.from(order, (_, i) =>
        Array.from({ length: i + 1 }, (_, j) => product(order[i]!, order[j]!)),
      ).flat();
      into?.set(values);
      return into ?? Float64Array.from(values);
    },
  };
}

/** Inputs whose channels go together, but for those that `change` alters. */
function inputsOf(size: number, count: number, change: (x: Float64Array) => void = () => {}): Float64Array[] {
  const next = gaussian(size + count);
  return Array.from({ length: count }, () => {
    const x = new Float64Array(size);
    let common = 0;
    for (let i = 0; i < size; i++) {
      common = 0.9 * common + next();
      x[i] = common + 0.3 * next();
    }
    change(x);
    return x;
  });
}

/** U[j, k] of the factor that is made of moments. */
async function factorsOf(moments: Moments): Promise<(j: number, k: number) => number> {
  const { size } = moments;
  const triangle = new Float64Array(triangleSize(size));
  const least = await feedbackTriangle(
    { turn: 0, columns: size, moments, chance: 0, flat: 0, refit: false, descent: false },
    triangle,
  );
  const rows = Array.from({ length: size }, (_, i) =>
    triangle.subarray(triangleSize(i), triangleSize(i + 1)),
  );
  const lower = choleskyOf(rows, size, least);
  const at = (j: number, k: number) => lower[size - 1 - j]![size - 1 - k]!;
  return (j, k) => (k < j ? 0 : at(j, k) / at(k, k));
}

describe('coefficients of error feedback', () => {
  it('are those of the triangular factor, by its definition', async () => {
    const size = 9;
    const moments = momentsOf(inputsOf(size, 40), size);
    const u = await factorsOf(moments);
    const triangle = await moments.triangle(Int32Array.from({ length: size }, (_, i) => i));
    const h = (i: number, j: number) =>
      triangle[(Math.max(i, j) * (Math.max(i, j) + 1)) / 2 + Math.min(i, j)]!;
    const damping = (0.01 * Array.from({ length: size }, (_, i) => h(i, i)).reduce((a, b) => a + b)) / size;
    // (I + U)^-1 H (I + U)^-T must be diagonal.
    const rows = Array.from({ length: size }, (_, i) =>
      Array.from({ length: size }, (_, j) => h(i, j) + (i === j ? damping : 0)),
    );
    for (let i = size - 2; i >= 0; i--) {
      for (let k = i + 1; k < size; k++)
        for (let j = 0; j < size; j++) rows[i]![j]! -= u(i, k) * rows[k]![j]!;
    }
    for (let j = size - 2; j >= 0; j--) {
      for (let k = j + 1; k < size; k++)
        for (let i = 0; i < size; i++) rows[i]![j]! -= u(j, k) * rows[i]![k]!;
    }
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        if (i !== j) assert.ok(Math.abs(rows[i]![j]!) < 1e-5 * h(0, 0), `${i}, ${j}: ${rows[i]![j]}`);
      }
    }
  });

  it('are finite where channels are dead, all alike, or nothing is known', async () => {
    const size = 8;
    const cases: readonly (readonly Float64Array[])[] = [
      inputsOf(size, 30, (x) => x.fill(0, 2, 5)),
      inputsOf(size, 30, (x) => x.fill(x[0]!)),
      inputsOf(size, 1),
      [new Float64Array(size)],
      inputsOf(size, 30, (x) => x.set(x.map((value) => 1e-30 * value))),
      inputsOf(size, 30, (x) => x.set(x.map((value) => 1e15 * value))),
    ];
    for (const inputs of cases) {
      const u = await factorsOf(momentsOf(inputs, size));
      for (let j = 0; j < size; j++) {
        for (let k = j; k < size; k++) assert.ok(Number.isFinite(u(j, k)), `${j}, ${k}: ${u(j, k)}`);
      }
    }
  });
});

describe('what calibration says of rounding', () => {
  const slots = new Map(plmTensors(SMALL_PLM).map((slot) => [slot.ggufName, slot]));
  const [query, embedding] = ['blk.0.attn_q.weight', 'token_embd.weight'].map((name) => slots.get(name)!);
  const squares = new Float32Array(256).map((_, i) => i % 2);
  const known = {
    ...madeUpStatistics(SMALL_PLM),
    tokens: 768,
    inputs: new Map([['blk.0.attn_q.weight', knownInputs(squares)]]),
  };
  const imatrix = { name: 'x.gguf', sha256: '', datasets: [], chunks: 1, notes: [] };

  it('draws mean squares towards their mean, as if 256 tokens more had been read', async () => {
    const { importances } = calibratedRounding({ ...memoryModel(SMALL_PLM), statistics: known }, 'best');
    // A quarter of the way to 0.5.
    const drawn = await importances(query!)!.values();
    assert.deepEqual([...new Set(drawn)], [0.125, 0.875]);
    const padded = await importances(query!, 288)!.values();
    assert.deepEqual([padded.length, padded[255], padded[256]], [288, 0.875, 0]);
  });

  it('weighs matrices by an imatrix as it is, and no embedding', async () => {
    const entries = new Map([...slots.values()].flatMap(({ ggufName }) => [[ggufName!, squares] as const]));
    const importancesOf = { ...imatrix, entries };
    const rounding = calibratedRounding({ ...memoryModel(SMALL_PLM), importances: importancesOf }, 'fast');
    assert.equal(await rounding.importances(query!)!.values(), squares);
    assert.equal(rounding.importances(embedding!), undefined);
  });

  it('trusts correlations the less the fewer tokens there are', () => {
    assert.deepEqual([shareOfChance(256, 768), shareOfChance(256, 0)], [0.25, 1]);
  });
});

describe('rounding with feedback', () => {
  const inputs = new Map([256, 512].map((size) => [size, inputsOf(size, 300, (x) => x.fill(0, 16, 48))]));

  /** Statistics in which 32 channels of every input are dead. */
  function statistics(model: Model): Statistics {
    const matrices = plmTensors(model.config).filter(({ shape, ggufName }) => shape.length > 1 && ggufName);
    const squares = (size: number) =>
      Float32Array.from(
        { length: size },
        (_, i) => inputs.get(size)!.reduce((sum, x) => sum + x[i]! ** 2, 0) / inputs.get(size)!.length,
      );
    return {
      ...madeUpStatistics(model.config),
      tokens: 10_000,
      inputs: new Map(
        matrices.map(({ ggufName, shape }): [string, InputStatistics] => {
          const size = shape.at(-1)!;
          return [ggufName!, { ...knownInputs(squares(size)), moments: momentsOf(inputs.get(size)!, size) }];
        }),
      ),
    };
  }

  /** Squared error of the products with the inputs, by tensor. */
  async function errorsOf(model: Model, rounded: Model): Promise<Map<string, number>> {
    const errors = new Map<string, number>();
    for (const { name, shape } of plmTensors(model.config)) {
      if (shape.length < 2) continue;
      const [a, b] = await Promise.all(
        [model, rounded].map(({ tensors }) => tensorValues(tensors.get(name)!)),
      );
      const columns = shape.at(-1)!;
      let sum = 0;
      for (const x of inputs.get(columns)!.slice(0, 40)) {
        for (let row = 0; row < Math.min(32, shape[0]!); row++) {
          let product = 0;
          for (let i = 0; i < columns; i++)
            product += (a![row * columns + i]! - b![row * columns + i]!) * x[i]!;
          sum += product ** 2;
        }
      }
      errors.set(name, sum);
    }
    return errors;
  }

  it('keeps every weight finite where columns and rows are zeros, whatever the moments', async () => {
    const tensors = new Map(memoryModel(SMALL_PLM).tensors);
    for (const { name, shape } of plmTensors(SMALL_PLM)) {
      if (shape.length < 2) continue;
      const columns = shape.at(-1)!;
      const values = await tensorValues(tensors.get(name)!);
      const thinned = values.map((value, i) =>
        i % columns < 64 || Math.floor(i / columns) % 7 === 3 ? 0 : value,
      );
      tensors.set(name, memoryTensor(name, shape, Float32Array.from(thinned)));
    }
    const model = { ...memoryModel(SMALL_PLM), tensors };
    for (const change of [(x: Float64Array) => x.fill(1), (x: Float64Array) => x.fill(0)]) {
      const known = new Map([256, 512].map((size) => [size, momentsOf(inputsOf(size, 3, change), size)]));
      const madeUp = madeUpStatistics(SMALL_PLM);
      const statistics = {
        ...madeUp,
        inputs: new Map(
          [...madeUp.inputs].map(([name, inputs]) => [
            name,
            { ...inputs, moments: known.get(inputs.channels)! },
          ]),
        ),
      };
      for (const recipe of ['q4_k_m', 'q2_k', 'q5_0', 'iq4_xs']) {
        const plan = planGguf({ ...model, statistics }, { recipe, quality: 'best' });
        const rounded = await roundedModel(model, plan, { threads: 1 });
        for (const [name, tensor] of rounded.tensors) {
          assert.ok((await tensorValues(tensor)).every(Number.isFinite), `${recipe}: ${name}`);
        }
      }
    }
  });

  it('halves the errors of products at least, where inputs are dead too', async () => {
    const model = memoryModel(SMALL_PLM);
    const known = { ...model, statistics: statistics(model) };
    const round = async (quality: 'fast' | 'best') =>
      roundedModel(model, planGguf(known, { recipe: 'q4_k_m', quality }), { threads: 1 });
    const [plain, best] = [
      await errorsOf(model, await round('fast')),
      await errorsOf(model, await round('best')),
    ];
    for (const [name, error] of best) {
      assert.ok(Number.isFinite(error));
      assert.ok(error < 0.5 * plain.get(name)!, `${name}: ${error} beside ${plain.get(name)}`);
    }
  });
});

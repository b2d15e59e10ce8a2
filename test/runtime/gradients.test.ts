import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlmConfig } from '../../src/core/config.ts';
import type { Model } from '../../src/core/model.ts';
import { layerTensorName, modelTensorName } from '../../src/core/names.ts';
import { absorbMla } from '../../src/passes/absorb-mla.ts';
import type { LayerGradients, WeightGradients } from '../../src/runtime/gradients/gradient-sums.ts';
import type { HeadGradients } from '../../src/runtime/gradients/head-gradient.ts';
import { drawnLabels, type Labels } from '../../src/runtime/gradients/labels.ts';
import { LayeredGradients } from '../../src/runtime/gradients/layered-gradients.ts';
import { ResidentStates } from '../../src/runtime/hidden-states.ts';
import { LayeredRuntime, type Sequence } from '../../src/runtime/layered-runtime.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel, memoryTensor, tensorValues, withTensors } from '../support/builders/memory-model.ts';
import { uniform } from '../support/builders/samples.ts';
import { type Added, oracleLogits, type Watch } from '../support/oracles/plm-oracle.ts';

/** Lengths and weights differ. */
const SEQUENCES: readonly Sequence[] = [{ ids: [3, 1, 4, 1, 5], weight: 0.5 }, { ids: [9, 2] }];
const TOKENS = 7;

interface Gradients {
  readonly head: HeadGradients;
  readonly layers: readonly LayerGradients[];
  readonly embeddings: WeightGradients;
  /** Of every token. */
  readonly labels: readonly number[];
}

async function gradientsOf(model: Model, labels: Labels, threads = 1): Promise<Gradients> {
  const { hiddenSize, numHiddenLayers: count } = model.config;
  const resident = new ResidentStates(TOKENS, hiddenSize);
  const states = new ResidentStates((count + 1) * TOKENS, hiddenSize);
  const runtime = await LayeredRuntime.open(model, SEQUENCES, { states: resident, threads });
  await states.write(0, resident.values);
  while (runtime.layers < count) {
    await runtime.nextLayer();
    await states.write(runtime.layers * TOKENS, resident.values);
  }
  await runtime.close();
  const drawn: number[] = [];
  const gradients = await LayeredGradients.open(model, SEQUENCES, {
    states,
    gradients: resident,
    labels: (probabilities) => {
      drawn.push(labels(probabilities));
      return drawn.at(-1)!;
    },
    threads,
  });
  const head = await gradients.head();
  const layers: LayerGradients[] = [];
  for (let layer = 0; layer < count; layer++) layers.unshift(await gradients.previousLayer());
  const embeddings = await gradients.embeddings();
  await gradients.close();
  return { head, layers, embeddings, labels: drawn };
}

/** In f64, of the labels of one sequence. */
async function loss(
  model: Model,
  ids: ArrayLike<number>,
  labels: readonly number[],
  added?: Added,
): Promise<number> {
  const logits = await oracleLogits(model, Array.from(ids), added && { added });
  return logits.reduce((sum, row, t) => sum - Math.log(softmax(row)[labels[t]!]!), 0);
}

/** No matrix of a random geometry has more. */
const MOST_ROWS = 64;

/** As if the weight [row, column] of a matrix were greater by `by`. */
function withWeight(name: string, [row, column]: readonly [number, number], by: number): Added {
  return (matrix, x) =>
    matrix === name
      ? Array.from({ length: MOST_ROWS }, (_, r) => (r === row ? by * x[column]! : 0))
      : undefined;
}

function softmax(logits: readonly number[]): number[] {
  const weights = logits.map((logit) => Math.exp(logit));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

const STEP = 1e-5;

/** Sums over sequences of squared slopes by the weights, of each row and of each column, by central differences. */
async function slopeSquares(
  model: Model,
  name: string,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  labels: readonly number[],
) {
  const sums = {
    rows: Array.from({ length: rows }, () => 0),
    columns: Array.from({ length: columns }, () => 0),
  };
  let first = 0;
  for (const { ids, weight = 1 } of SEQUENCES) {
    const own = labels.slice(first, first + ids.length);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = (by: number) => loss(model, ids, own, withWeight(name, [row, column], by));
        const square = weight * (((await at(STEP)) - (await at(-STEP))) / (2 * STEP)) ** 2;
        sums.rows[row]! += square;
        sums.columns[column]! += square;
      }
    }
    first += ids.length;
  }
  return sums;
}

function assertGradients(
  { rows, columns }: WeightGradients,
  expected: { readonly rows: readonly number[]; readonly columns: readonly number[] },
  what: string,
): void {
  assertNear(rows, expected.rows, `${what} by row`);
  assertNear(columns, expected.columns, `${what} by column`);
}

function assertNear(actual: ArrayLike<number>, expected: readonly number[], what: string): void {
  const largest = Math.max(...expected);
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries()) {
    // Squares differ by twice as much as slopes do.
    const difference = Math.abs(actual[i]! - value);
    assert.ok(difference <= 2e-4 * largest, `${what}, ${i}: ${actual[i]}, expected ${value}`);
  }
}

/** Geometries that differ in all that gradients depend on. */
function geometry(seed: number): PlmConfig {
  const next = uniform(seed);
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    ...SMALL_PLM,
    vocabSize: between(11, 30),
    hiddenSize: between(3, 9),
    numHiddenLayers: 2,
    numAttentionHeads: between(1, 3),
    intermediateSizes: [between(3, 9), between(3, 9)],
    kvLoraRank: between(2, 7),
    qLoraRank: seed % 2 ? between(2, 5) : undefined,
    qkNopeHeadDim: between(1, 5),
    qkRopeHeadDim: 2 * between(1, 2),
    vHeadDim: between(1, 5),
    ropeInterleave: seed % 3 > 0,
    tieWordEmbeddings: seed % 4 > 0,
    ...(seed % 5 === 0 && { ffnBias: true }),
  };
}

describe('gradients are those of finite differences in f64', () => {
  for (let seed = 1; seed <= 20; seed++) {
    it(`of geometry ${seed}`, async () => {
      const model = memoryModel(geometry(seed), { seed });
      const { layers, labels } = await gradientsOf(model, drawnLabels(seed));
      for (const [layer, gradients] of layers.entries()) {
        for (const [role, found] of gradients) {
          const name = layerTensorName(role, layer);
          const shape = { rows: found.rows.length, columns: found.columns.length };
          assertGradients(found, await slopeSquares(model, name, shape, labels), name);
        }
      }
    });
  }
});

it('the gradient by logits is, squared, expected to be p (1 - p)', async () => {
  const model = memoryModel(geometry(3), { seed: 3 });
  const { head } = await gradientsOf(model, drawnLabels(3));
  const logits = Array.from(head.logits, () => 0);
  const inputs = Array.from(head.inputs, () => 0);
  for (const { ids, weight = 1 } of SEQUENCES) {
    const watch: Watch = (matrix, _layer, input) => {
      if (matrix === 'head') for (const [c, x] of input.entries()) inputs[c]! += weight * x ** 2;
    };
    for (const row of await oracleLogits(model, Array.from(ids), { watch })) {
      for (const [token, p] of softmax(row).entries()) logits[token]! += weight * p * (1 - p);
    }
  }
  assertNear(head.logits, logits, 'logits');
  assertNear(head.inputs, inputs, 'inputs of the head');
});

it('the gradient by embeddings is that of finite differences', async () => {
  // Untied: rows of the embedding are looked up only. One of them is twice.
  const model = memoryModel(geometry(4), { seed: 4 });
  const { embeddings, labels } = await gradientsOf(model, drawnLabels(4));
  const embedding = model.tensors.get(modelTensorName('embed_tokens'))!;
  const values = await tensorValues(embedding);
  const { rows, columns } = embeddings;
  const expected = { rows: Array.from(rows, () => 0), columns: Array.from(columns, () => 0) };
  // As large as f32 holds exactly enough.
  const step = 2 ** -10;
  let first = 0;
  for (const { ids, weight = 1 } of SEQUENCES) {
    const own = labels.slice(first, first + ids.length);
    for (const id of new Set(Array.from(ids))) {
      for (const channel of columns.keys()) {
        const at = (by: number) => {
          const changed = values.slice();
          changed[id * columns.length + channel]! += by;
          return loss(withTensors(model, memoryTensor(embedding.name, embedding.shape, changed)), ids, own);
        };
        const square = weight * (((await at(step)) - (await at(-step))) / (2 * step)) ** 2;
        expected.rows[id]! += square;
        expected.columns[channel]! += square;
      }
    }
    first += ids.length;
  }
  assertGradients(embeddings, expected, 'embeddings');
});

it('a kv_b_proj that is taken apart changes no gradient', async () => {
  const model = memoryModel(geometry(7), { seed: 7 });
  const whole = await gradientsOf(model, drawnLabels(7));
  for (const form of ['split', 'premultiplied'] as const) {
    const parts = await gradientsOf(absorbMla.run(model, { form }), drawnLabels(7));
    for (const [layer, gradients] of parts.layers.entries()) {
      for (const [role, found] of gradients) {
        // Queries and what attention gives are others where they are premultiplied.
        if (form === 'premultiplied' && ['q_proj', 'q_b_proj', 'o_proj'].includes(role)) continue;
        const { rows, columns } = whole.layers[layer]!.get(role)!;
        const expected = { rows: [...rows], columns: [...columns] };
        assertGradients(found, expected, `${form}: ${role} of layer ${layer}`);
      }
    }
  }
});

it('labels are drawn by their probabilities', () => {
  const draw = drawnLabels(5);
  const probabilities = Float32Array.of(0.1, 0, 0.6, 0.3, 0);
  const counts = [0, 0, 0, 0, 0];
  const DRAWS = 20_000;
  for (let i = 0; i < DRAWS; i++) counts[draw(probabilities)]!++;
  for (const [token, p] of probabilities.entries()) {
    // Four standard deviations of a binomial.
    const tolerance = 4 * Math.sqrt((p * (1 - p)) / DRAWS);
    assert.ok(Math.abs(counts[token]! / DRAWS - p) <= tolerance, `${counts}`);
  }
});

it('gradients do not depend on threads', async () => {
  const model = memoryModel(SMALL_PLM, { scheme: 'Q4_0' });
  const expected = await gradientsOf(model, drawnLabels(1));
  assert.deepEqual(await gradientsOf(model, drawnLabels(1), 2), expected);
  assert.deepEqual(await gradientsOf(model, drawnLabels(1), 5), expected);
});

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { planGguf } from '../../../formats/gguf/export.ts';
import { openGguf } from '../../../formats/gguf/import.ts';
import type { Progress, ProgressEvent } from '../../../src/core/jobs/progress.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { layerTensorName } from '../../../src/core/names.ts';
import { elementCount } from '../../../src/core/tensor.ts';
import { parsePassRequest, runPass } from '../../../src/passes/run.ts';
import { regression } from '../../../src/pipeline/algebra/regression.ts';
import { openSource } from '../../../src/pipeline/sources/open.ts';
import { encodeTexts } from '../../../src/pipeline/sources/read-text.ts';
import { Tokenizer } from '../../../src/tokenizer/tokenizer.ts';
import { compareModels } from '../../../src/verify/compare.ts';
import { SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { memoryModel, memoryTensor, tensorValues, withTensors } from '../../support/builders/memory-model.ts';
import {
  correlatedStatistics,
  fixtureText,
  madeUpStatistics,
  statisticsOver,
} from '../../support/builders/statistics.ts';
import { writePlan } from '../../support/builders/write-plan.ts';
import { assertEndsAtTurn } from '../../support/ends-at-turn.ts';
import { openInLlama } from '../../support/oracles/llama.ts';
import { logitsOf } from '../../support/oracles/logits.ts';
import { fixture } from '../../support/paths.ts';
import { pressFailure } from '../../support/press-failure.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function tiny(t: TestContext): Promise<Model> {
  const model = await openSource(fixture('plm-tiny'));
  t.after(() => closeModel(model));
  return model;
}

const calibrated = async (t: TestContext, model: Model, characters: number): Promise<Model> => ({
  ...model,
  statistics: await statisticsOver(t, model, fixtureText('calibration', characters)),
});

const regress = regression(2);

const prune = (model: Model, options: string, progress?: Progress) =>
  runPass(model, parsePassRequest(`prune-ffn:${options}`), { regress, progress });

async function divergence(reference: Model, pruned: Model, tokens = 1024): Promise<number> {
  const ids = await encodeTexts(new Tokenizer(reference.tokenizer), [fixtureText('eval')], tokens);
  return (await compareModels(reference, pruned, ids)).kld.mean;
}

const IDS = Array.from({ length: 32 }, (_, i) => (i * 61 + 5) % 2000);

/** The model with neurons whose rows of up_proj are zeros: nothing sets them off. */
async function withDead(model: Model, dead: (layer: number) => readonly number[]): Promise<Model> {
  const tensors = await Promise.all(
    model.config.intermediateSizes.map(async (_, layer) => {
      const up = model.tensors.get(layerTensorName('up_proj', layer))!;
      const values = await tensorValues(up);
      const columns = up.shape[1]!;
      for (const row of dead(layer)) values.fill(0, row * columns, (row + 1) * columns);
      return memoryTensor(up.name, up.shape, values);
    }),
  );
  return withTensors(model, ...tensors);
}

it('prune-ffn on plm-tiny, a quarter of the neurons', async (t) => {
  const model = await calibrated(t, await tiny(t), 20_000);

  await t.test(
    'least squares loses less than a bias, a bias less than nothing, a random choice most',
    async () => {
      const kld: number[] = [];
      for (const options of [
        'score=wanda,compensation=least-squares',
        'score=fluctuation,compensation=bias',
        'score=wanda,compensation=none',
        'score=random,compensation=none',
      ]) {
        const pruned = await prune(model, `ratio=0.25,${options}`);
        assert.deepEqual(pruned.config.intermediateSizes, [768, 768, 768, 768]);
        kld.push(await divergence(model, pruned));
      }
      assert.deepEqual(
        kld.toSorted((a, b) => a - b),
        kld,
      );
      assert.ok(kld[0]! < 0.8 * kld[2]! && kld[3]! > 1.5 * kld[2]!, `${kld}`);
    },
  );

  await t.test('predicts and measures what each layer loses', async () => {
    const measured = async (options: string) => {
      const { changes } = await prune(model, options);
      return changes.flatMap(({ figures }) => (figures ? [figures] : []));
    };
    const none = await measured('ratio=0.25,compensation=none');
    const bias = await measured('ratio=0.25,compensation=bias');
    const fitted = await measured('ratio=0.25,compensation=least-squares');
    for (const layer of [0, 1, 2, 3]) {
      const { predictedError, measuredError, removed, firingRate, removedRateBound } = none[layer]!;
      assert.equal(removed, 256);
      assert.ok(firingRate! > 0.01 && firingRate! < 0.3 && removedRateBound! < 0.5);
      // The prediction takes neurons for independent of each other.
      assert.ok(predictedError! > 0.3 * measuredError! && predictedError! < 3 * measuredError!);
      assert.ok(bias[layer]!.measuredError! < measuredError!);
      assert.ok(fitted[layer]!.measuredError! < bias[layer]!.measuredError!);
    }
    // The first layer hears the same inputs after pruning: its output's error can be computed outright.
    const pruned = await prune(model, 'ratio=0.25,compensation=none');
    const error = await firstLayerError(model, pruned);
    assert.ok(Math.abs(error / none[0]!.measuredError! - 1) < 0.01, `${error}, ${none[0]!.measuredError}`);
  });

  await t.test('gives a GGUF that llama.cpp runs like our runtime', async (t) => {
    const pruned = await prune(model, 'ratio=0.25,compensation=none');
    const [file] = await writePlan(planGguf(pruned, { recipe: 'f32' }), temporaryFolder(t));
    const back = await openGguf(file!);
    t.after(() => closeModel(back));
    assert.deepEqual(back.config.intermediateSizes, [768, 768, 768, 768]);
    const [ours, llama] = [await logitsOf(back, IDS), await openInLlama(file!)];
    t.after(() => llama.dispose());
    for (const [position, row] of (await llama.logits(IDS)).entries()) {
      const best = (values: ArrayLike<number>) => Array.from(values).indexOf(Math.max(...Array.from(values)));
      assert.equal(best(row), best(ours[position]!));
    }
  });
});

/** Mean square of what the first FFN's output loses, as part of it, on the text of the calibration. */
async function firstLayerError(model: Model, pruned: Model): Promise<number> {
  const moments = model.statistics!.inputs.get('blk.0.ffn_down.weight')!.moments!;
  const down = model.tensors.get(layerTensorName('down_proj', 0))!;
  const kept = await tensorValues(pruned.tensors.get(layerTensorName('down_proj', 0))!);
  const [hidden, n] = down.shape as [number, number];
  const values = await tensorValues(down);
  // Which neurons were kept: columns of both matrices are equal.
  const columnOf = (matrix: Float32Array, width: number, c: number) =>
    Array.from({ length: 8 }, (_, r) => matrix[r * width + c]!).join();
  const left = new Set(Array.from({ length: 768 }, (_, c) => columnOf(kept, 768, c)));
  const removed = Array.from({ length: n }, (_, c) => c).filter((c) => !left.has(columnOf(values, n, c)));
  assert.equal(removed.length, 256);
  const triangle = await moments.triangle(Array.from({ length: n }, (_, i) => i));
  const c = (i: number, j: number) => triangle[i >= j ? (i * (i + 1)) / 2 + j : (j * (j + 1)) / 2 + i]!;
  const measured = model.statistics!.neurons()![0]!.outputSquares;
  let error = 0;
  for (let row = 0; row < hidden; row++) {
    const w = values.subarray(row * n, (row + 1) * n);
    for (const i of removed) for (const j of removed) error += w[i]! * w[j]! * c(i, j);
    if (row % 32 > 0) continue;
    let output = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) output += w[i]! * w[j]! * c(i, j);
    assert.ok(Math.abs(output / measured[row]! - 1) < 1e-3, 'outputs follow from second moments');
  }
  return error / measured.reduce((a, b) => a + b, 0);
}

describe('dead neurons', () => {
  const dead = (layer: number) => Array.from({ length: 40 + 8 * layer }, (_, i) => 5 + 15 * i);

  it('are found and removed without any change of logits', async (t) => {
    const model = await calibrated(t, await withDead(await tiny(t), dead), 3000);
    const pruned = await prune(model, 'widths=layer,multiple=1');
    const silent = model.statistics!.neurons()!.map(({ firings }) => firings.filter((n) => n === 0).length);
    assert.deepEqual(
      pruned.config.intermediateSizes,
      silent.map((count) => 1024 - count),
    );
    assert.ok(silent.every((count, layer) => count >= 40 + 8 * layer));
    for (const layer of [0, 1, 2, 3]) {
      const up = await tensorValues(pruned.tensors.get(layerTensorName('up_proj', layer))!);
      const zeroRows = Array.from({ length: up.length / 256 }, (_, r) => r).filter((r) =>
        up.subarray(r * 256, (r + 1) * 256).every((value) => value === 0),
      );
      assert.deepEqual(zeroRows, []);
    }
  });

  it('alone are removed where the text is too short to tell more', async (t) => {
    const model = await withDead(await tiny(t), dead);
    // Everything else has fired: only the planted ones are silent.
    const made = madeUpStatistics(model.config);
    const neurons = made.neurons()!.map((layer, index) => ({
      ...layer,
      firings: layer.firings.map((count, i) => (dead(index).includes(i) ? 0 : count)),
    }));
    const known = { ...model, statistics: { ...made, neurons: () => neurons } };
    for (const options of ['widths=layer,multiple=1', 'multiple=8']) {
      const pruned = await prune(known, options);
      const removed = pruned.config.intermediateSizes.map((width) => 1024 - width);
      assert.deepEqual(removed, options.startsWith('w') ? [40, 48, 56, 64] : [40, 40, 40, 40]);
      const [before, after] = [await logitsOf(model, IDS), await logitsOf(pruned, IDS)];
      const largest = Math.max(...before.flatMap((row) => row.reduce((m, v) => Math.max(m, Math.abs(v)), 0)));
      for (const [position, row] of before.entries()) {
        // Sums of down_proj have fewer zeros among their terms, which four lanes add up in another order.
        const error = row.reduce((max, v, id) => Math.max(max, Math.abs(v - after[position]![id]!)), 0);
        assert.ok(error <= 1e-5 * largest, `${error} of ${largest}`);
      }
    }
    const { tensors, notes } = await prune(known, 'multiple=256');
    assert.equal(tensors, known.tensors);
    assert.deepEqual(notes, ['pass prune-ffn finds nothing to do']);
  });
});

describe('prune-ffn', () => {
  it('takes a width or a budget too, and says what a layer of its own width cannot become', async (t) => {
    const model = await calibrated(t, await tiny(t), 3000);
    assert.deepEqual(
      (await prune(model, 'width=512,compensation=none')).config.intermediateSizes,
      [512, 512, 512, 512],
    );
    const pruned = await prune(model, 'budget=0.01,widths=layer,multiple=32,compensation=none');
    const widths = pruned.config.intermediateSizes;
    assert.ok(new Set(widths).size > 1 && widths.every((width) => width % 32 === 0), `${widths}`);
    for (const { figures } of pruned.changes)
      assert.ok(figures === undefined || figures.predictedError! <= 0.01);
    const refused = pressFailure('unsupported', /intermediate_size: GGUF arch plm has one FFN width/);
    assert.throws(() => planGguf(pruned, { recipe: 'q8_0' }), refused);
    const { tensors } = pruned.statistics === undefined ? model : pruned;
    const sizes = [...tensors.values()].filter(({ name }) => name.includes('mlp')).map(elementCount);
    assert.deepEqual(
      sizes,
      widths.flatMap((width) => [256 * width, 256 * width]),
    );
  });

  it('says what it lacks', async (t) => {
    const model = await tiny(t);
    const known = { ...model, statistics: madeUpStatistics(model.config) };
    const fails = (of: Model, options: string, message: RegExp) =>
      assert.rejects(prune(of, options), pressFailure('unsupported', message));
    await fails(model, 'ratio=0.5', /needs statistics: calibrate makes them/);
    await fails(
      known,
      'ratio=0.5',
      /needs second moments for least squares: calibrate with --second-moments/,
    );
    await fails(known, 'ratio=1', /ratio 1 is not from 0 to below 1/);
    await fails(known, 'ratio=0.1,width=5', /ratio, width and budget exclude each other/);
    await fails(known, 'score=x', /score "x" is none of firing, wanda, fluctuation, random/);
    await fails(known, 'compensation=x', /compensation "x" is none of/);
    await fails(known, 'widths=x', /widths "x" is none of uniform, layer/);
    const others = { ...model, statistics: madeUpStatistics({ ...model.config, intermediateSizes: [1024] }) };
    await fails(others, 'ratio=0.5', /made-up does not fit this model/);
  });
});

it('prune-ffn ends while it fits the neurons that stay', async (t) => {
  const model = { ...memoryModel(SMALL_PLM), statistics: correlatedStatistics(SMALL_PLM) };
  const request = parsePassRequest('prune-ffn:ratio=0.5,multiple=1');
  await assertEndsAtTurn(t, (signal) => runPass(model, request, { regress, signal }));
});

it('tells how far it is, by neurons and layers', async () => {
  const model = { ...memoryModel(SMALL_PLM), statistics: correlatedStatistics(SMALL_PLM) };
  const events: ProgressEvent[] = [];
  await prune(model, 'ratio=0.5,multiple=1', (event) => void events.push(event));
  const total = SMALL_PLM.intermediateSizes.reduce((sum, width) => sum + width);
  assert.deepEqual(events[0], { kind: 'phase', name: 'prune-ffn', total });
  const advances = events.slice(1).flatMap((event) => (event.kind === 'advance' ? [event] : []));
  const done = advances.map((event) => event.done);
  assert.deepEqual(
    done,
    done.toSorted((a, b) => a - b),
  );
  assert.equal(done.at(-1), total);
  assert.deepEqual([...new Set(advances.map(({ item }) => item))], ['layer 0', 'layer 1']);
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { openHfFolder } from '../../formats/hf/import.ts';
import type { PlmConfig } from '../../src/core/config.ts';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import { closeModel, type Model } from '../../src/core/model.ts';
import type { SchemeName } from '../../src/core/scheme.ts';
import { PlmRuntime } from '../../src/runtime/plm-runtime.ts';
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { compareModels } from '../../src/verify/compare.ts';
import type { LogitsEngine } from '../../src/verify/engine.ts';
import { LayeredLogits } from '../../src/verify/layered-logits.ts';
import type { RowMetrics } from '../../src/verify/metrics.ts';
import { RememberedLogits } from '../../src/verify/remembered-logits.ts';
import { SequenceLogits } from '../../src/verify/sequence-logits.ts';
import { comparisonFault, defaultMaxKld } from '../../src/verify/thresholds.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel, memoryTensor, tensorValues, withTensors } from '../support/builders/memory-model.ts';
import { oracleLogits } from '../support/oracles/plm-oracle.ts';
import { fixture } from '../support/paths.ts';
import { pressFailure } from '../support/press-failure.ts';

const CONFIG: PlmConfig = {
  ...SMALL_PLM,
  vocabSize: 64,
  hiddenSize: 32,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  intermediateSizes: [32],
  kvLoraRank: 32,
  qkNopeHeadDim: 8,
  qkRopeHeadDim: 4,
  vHeadDim: 8,
  maxPositionEmbeddings: 16,
};
const IDS = Array.from({ length: 21 }, (_, i) => (i * i * 5 + 3) % 64);

async function quantized(model: Model, scheme: SchemeName): Promise<Model> {
  const matrices = [...model.tensors.values()].filter((tensor) => tensor.shape.length > 1);
  const encode = async (tensor: (typeof matrices)[number]) =>
    memoryTensor(tensor.name, tensor.shape, await tensorValues(tensor), scheme);
  return withTensors(model, ...(await Promise.all(matrices.map(encode))));
}

describe('two models over the same tokens', () => {
  const reference = memoryModel(CONFIG);

  it('a model against itself', async () => {
    const { ppl, ...rest } = await compareModels(reference, reference, IDS, { threads: 1 });
    const kld = { mean: 0, median: 0, p99: 0, max: 0 };
    assert.deepEqual(rest, { tokens: 21, kld, top1: 1, maxAbsError: 0 });
    assert.equal(ppl.reference, ppl.artifact);
  });

  it('figures are those of the f64 logits, window by window', async () => {
    const artifact = memoryModel(CONFIG, { scheme: 'Q4_0' });
    const windows = [IDS.slice(0, 8), IDS.slice(8, 16), IDS.slice(16)];
    const rows = async (model: Model) =>
      (await Promise.all(windows.map((ids) => oracleLogits(model, ids)))).flat().map(softmax);
    const [p, q] = [await rows(reference), await rows(artifact)];
    const klds = p.map((row, t) => sum(row.map((share, id) => share * Math.log(share / q[t]![id]!))));
    const ppl = (all: typeof p) =>
      Math.exp(sum(IDS.slice(1).map((id, t) => -Math.log(all[t]![id]!))) / (IDS.length - 1));

    const result = await compareModels(reference, artifact, IDS, { threads: 1, contextLength: 8 });
    // f32 logits of about 1: 1e-6 of a probability.
    const near = (actual: number, expected: number) =>
      assert.ok(Math.abs(actual - expected) < 1e-5 * expected, `${actual} is not ${expected}`);
    near(result.kld.mean, sum(klds) / klds.length);
    near(result.kld.max, Math.max(...klds));
    near(result.ppl.reference, ppl(p));
    near(result.ppl.artifact, ppl(q));
  });

  it('tells its progress in tokens, each phase from none to all', async () => {
    const model = memoryModel({ ...CONFIG, numHiddenLayers: 3, intermediateSizes: [32, 32, 32] });
    const events: ProgressEvent[] = [];
    await compareModels(model, model, IDS, { threads: 1, progress: (event) => events.push(event) });
    const phases = events.flatMap((event) => (event.kind === 'phase' ? [event.name] : []));
    assert.deepEqual(phases, ['run layers', 'run layers', 'compare']);
    for (const phase of [0, 1, 2]) {
      const begin = events.findIndex(
        (event) => event === events.filter(({ kind }) => kind === 'phase')[phase],
      );
      const end = events.findIndex((event, index) => index > begin && event.kind === 'phase');
      const done = events
        .slice(begin + 1, end < 0 ? undefined : end)
        .map((event) => (event.kind === 'advance' ? event.done : Number.NaN));
      assert.deepEqual(
        done,
        done.toSorted((x, y) => x - y),
      );
      assert.equal(done.at(-1), 21);
    }
  });

  it('an engine of one sequence begins anew with every window', async () => {
    const runtime = await PlmRuntime.open(reference, { contextLength: 16, threads: 1 });
    const { kld } = await compareModels(reference, reference, IDS, {
      threads: 1,
      openArtifact: async (windows) => new SequenceLogits(runtime, windows),
    });
    assert.equal(kld.max, 0);
  });

  it('tells every position, and how many neurons fire where that is asked', async () => {
    const rows: RowMetrics[] = [];
    const { firing, kld } = await compareModels(reference, reference, IDS, {
      threads: 1,
      countsFirings: true,
      onRow: (row) => rows.push(row),
      openArtifact: (windows) => LayeredLogits.open(reference, windows, { threads: 1 }),
    });
    assert.equal(rows.length, IDS.length);
    assert.equal(Math.max(...rows.map((row) => row.kld)), kld.max);
    assert.equal(firing!.reference!.length, 1);
    assert.ok(firing!.reference![0]! > 0 && firing!.reference![0]! < 1);
    assert.ok(!('artifact' in firing!));
  });

  it('hears a signal', async () => {
    const signal = AbortSignal.abort();
    await assert.rejects(compareModels(reference, reference, IDS, { signal }), { name: 'AbortError' });
  });

  it('the limit is that of the coarsest matrices', async () => {
    const { tensors } = memoryModel(CONFIG, { scheme: 'Q8_0' });
    // As src/verify/kld-limits.ts has them.
    assert.equal(defaultMaxKld(tensors), 5e-3);
    const coarse = memoryModel(CONFIG, { scheme: 'Q5_0' }).tensors.get('model.embed_tokens.weight')!;
    assert.equal(defaultMaxKld(new Map([...tensors, [coarse.name, coarse]])), 0.08);
  });

  it('a divergence that is no number does not pass', async () => {
    const comparison = await compareModels(reference, reference, IDS, { threads: 1 });
    const kld = { ...comparison.kld, mean: Number.NaN };
    for (const limit of [10, undefined]) {
      assert.equal(comparisonFault({ ...comparison, kld }, limit)?.what, 'mean KLD');
    }
    assert.equal(comparisonFault(comparison, 0), undefined);
  });

  it('refuses other vocabularies and less than two tokens', async () => {
    const other = memoryModel({ ...CONFIG, vocabSize: 65 });
    await assert.rejects(
      compareModels(reference, other, IDS),
      pressFailure('verification', /vocab_size.*got 65/),
    );
    await assert.rejects(
      compareModels(reference, reference, [1]),
      pressFailure('invalid-input', /at least 2/),
    );
  });
});

describe('logits that are asked for again', () => {
  /** Counts tokens, and writes their logits into one row, as engines may. */
  class CountingEngine implements LogitsEngine {
    computed = 0;
    readonly #row = new Float32Array(4);

    async *logits(): AsyncGenerator<Float32Array> {
      for (const id of [3, 1, 4]) {
        this.computed++;
        yield this.#row.fill(id);
      }
    }

    async close(): Promise<void> {}
  }

  const BYTES = 3 * 4 * 4;

  async function read(logits: RememberedLogits): Promise<number[]> {
    const rows: Float32Array[] = [];
    for await (const row of logits.logits()) rows.push(row.slice());
    return rows.map((row) => row[3]!);
  }

  it('are computed once where they fit, and each time where they do not', async () => {
    for (const [budget, computed] of [
      [BYTES, 3],
      [BYTES - 1, 6],
    ]) {
      const engine = new CountingEngine();
      const logits = new RememberedLogits(engine, 4, 3, budget!);
      assert.deepEqual(
        [await read(logits), await read(logits)],
        [
          [3, 1, 4],
          [3, 1, 4],
        ],
      );
      assert.equal(engine.computed, computed);
    }
  });

  it('are whole after a reading that was broken off', async () => {
    const logits = new RememberedLogits(new CountingEngine(), 4, 3, BYTES);
    for await (const _ of logits.logits()) break;
    assert.deepEqual(
      [await read(logits), await read(logits)],
      [
        [3, 1, 4],
        [3, 1, 4],
      ],
    );
  });
});

describe('plm-tiny in a scheme, 192 tokens of eval.txt', () => {
  for (const scheme of ['F32', 'BF16', 'F16', 'Q8_0', 'Q6_K', 'Q4_0'] as const) {
    it(`${scheme} stays below its limit`, async () => {
      const model = await openHfFolder(fixture('plm-tiny'));
      const text = readFileSync(fixture('text', 'eval.txt'), 'utf8').slice(0, 2000);
      const ids = new Tokenizer(model.tokenizer).encode(text).slice(0, 192);
      const artifact = await quantized(model, scheme);
      const comparison = await compareModels(model, artifact, ids, { threads: 1 });
      await closeModel(model);
      assert.equal(comparisonFault(comparison, defaultMaxKld(artifact.tensors)), undefined);
      // BF16 weights are exact in both.
      if (scheme === 'F32' || scheme === 'BF16') assert.equal(comparison.kld.max, 0);
      else assert.ok(comparison.kld.mean > 0);
    });
  }
});

function softmax(logits: readonly number[]): number[] {
  const exponentials = logits.map(Math.exp);
  return exponentials.map((e) => e / sum(exponentials));
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

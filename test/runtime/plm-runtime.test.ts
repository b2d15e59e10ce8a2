import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlmConfig } from '../../src/core/config.ts';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import type { Model } from '../../src/core/model.ts';
import { PlmRuntime, type RuntimeOptions } from '../../src/runtime/plm-runtime.ts';
import { hollowModel, PLM_1_8B, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel } from '../support/builders/memory-model.ts';
import { usePlainKernels } from '../support/drivers/plain-kernels.ts';
import { oracleLogits, type Watch } from '../support/oracles/plm-oracle.ts';
import { pressFailure } from '../support/press-failure.ts';

const CONFIG: PlmConfig = {
  ...SMALL_PLM,
  vocabSize: 300,
  hiddenSize: 64,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  intermediateSizes: [96, 96],
  kvLoraRank: 32,
  qkNopeHeadDim: 16,
  qkRopeHeadDim: 8,
  vHeadDim: 16,
  maxPositionEmbeddings: 64,
};

const IDS = [7, 299, 0, 31, 31, 150, 8, 42, 260, 1, 99, 77, 5, 6, 64, 200, 128];

/** Copies, for a row is a view that the next one overwrites. */
async function collect(
  model: Model,
  parts: readonly (readonly number[])[],
  options: Partial<RuntimeOptions> = {},
): Promise<Float32Array[]> {
  const runtime = await PlmRuntime.open(model, { contextLength: 32, threads: 1, ...options });
  const rows: Float32Array[] = [];
  for (const ids of parts) for await (const row of runtime.logits(ids)) rows.push(row.slice());
  await runtime.close();
  return rows;
}

/** Logits of about 1 after some hundred roundings of 2^-24 each. Measured: at most 2.2e-6. */
const TOLERANCE = 2e-5;

const GEOMETRIES: Readonly<Record<string, Partial<PlmConfig>>> = {
  'as PLM-1.8B, but small': {},
  'rope_interleave false': { ropeInterleave: false },
  'q_lora_rank set': { qLoraRank: 24 },
  'untied lm_head': { tieWordEmbeddings: false },
  'five heads': { numAttentionHeads: 5 },
  'one head': { numAttentionHeads: 1 },
  'nope wider than v': { qkNopeHeadDim: 24, vHeadDim: 12 },
  'v wider than nope': { qkNopeHeadDim: 8, vHeadDim: 20 },
  'an own FFN width per layer': { intermediateSizes: [32, 160] },
  'a bias of down_proj': { ffnBias: true },
  'sizes that no vector width divides': {
    hiddenSize: 50,
    numAttentionHeads: 3,
    intermediateSizes: [37, 41],
    kvLoraRank: 19,
    qkNopeHeadDim: 7,
    qkRopeHeadDim: 6,
    vHeadDim: 9,
    vocabSize: 301,
  },
  'a small theta and a large epsilon': { ropeTheta: 100, rmsNormEps: 1e-2 },
};

describe('a random PLM against the formulas in f64', () => {
  for (const [name, changes] of Object.entries(GEOMETRIES)) {
    it(name, async () => {
      const model = memoryModel({ ...CONFIG, ...changes });
      const expected = await oracleLogits(model, IDS);
      for (const attention of ['expanded', 'latent'] as const) {
        const rows = await collect(model, [IDS], { attention });
        assert.equal(rows.length, IDS.length);
        for (const [t, row] of rows.entries()) {
          const difference = expected[t]!.reduce((max, e, id) => Math.max(max, Math.abs(e - row[id]!)), 0);
          assert.ok(difference <= TOLERANCE, `${attention}: ${difference} at position ${t}`);
        }
      }
    });
  }
});

describe('a sparse FFN', () => {
  for (const scheme of ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0'] as const) {
    for (const intermediateSizes of [
      [96, 96],
      [32, 160],
    ]) {
      it(`agrees with the formulas in f64: ${scheme}, widths ${intermediateSizes.join(' and ')}`, async () => {
        const model = memoryModel({ ...CONFIG, intermediateSizes, ffnBias: true }, { scheme });
        const expected = await oracleLogits(model, IDS);
        const rows = await collect(model, [IDS], { ffn: 'sparse' });
        for (const [t, row] of rows.entries()) {
          const difference = expected[t]!.reduce((max, e, id) => Math.max(max, Math.abs(e - row[id]!)), 0);
          assert.ok(difference <= TOLERANCE, `${difference} at position ${t}`);
        }
      });
    }
  }

  it('reads the rows of down_proj whose neurons fire, and tells their share', async () => {
    const model = memoryModel({ ...CONFIG, intermediateSizes: [96, 32] });
    let [met, fired] = [0, 0];
    const watch: Watch = (matrix, _layer, input) => {
      if (matrix !== 'down_proj') return;
      met += input.length;
      fired += input.filter((value) => value > 0).length;
    };
    await oracleLogits(model, IDS, { watch });
    for (const [ffn, share] of [
      ['dense', 1],
      ['sparse', (met + fired) / (2 * met)],
    ] as const) {
      const runtime = await PlmRuntime.open(model, { contextLength: 32, threads: 1, batch: 5, ffn });
      assert.equal(runtime.ffnReadShare, 1);
      await runtime.forward(IDS);
      assert.equal(runtime.ffnReadShare, share);
      await runtime.close();
    }
  });
});

describe('layers that find no room are read again for every step', () => {
  const model = memoryModel({ ...CONFIG, numHiddenLayers: 5, intermediateSizes: [96, 32, 64, 200, 8] });
  const size = { contextLength: 32, threads: 1, batch: 5 };
  const full = PlmRuntime.memoryBytes(model, size);

  for (const ffn of ['dense', 'sparse'] as const) {
    it(`the bits stay the same, ${ffn} FFN`, async () => {
      const expected = await collect(model, [IDS.slice(0, 7), IDS.slice(7)], { ...size, ffn });
      const found = new Set<number>();
      const whole = PlmRuntime.memoryBytes(model, { ...size, ffn });
      for (const share of [1, 0.9, 0.8, 0.7]) {
        const options = { ...size, ffn, maxMemory: Math.floor(share * whole) };
        const runtime = await PlmRuntime.open(model, options);
        found.add(runtime.residentLayers);
        await runtime.close();
        assert.deepEqual(await collect(model, [IDS.slice(0, 7), IDS.slice(7)], options), expected);
      }
      assert.ok(found.size >= 3 && found.has(5), `${[...found]} layers`);
    });
  }

  it('a note says so', async () => {
    const notes: string[] = [];
    const progress = (event: ProgressEvent) => {
      if (event.kind === 'note') notes.push(event.message);
    };
    for (const maxMemory of [full, full - 1]) {
      await (await PlmRuntime.open(model, { ...size, maxMemory, progress })).close();
    }
    assert.equal(notes.length, 1);
    assert.match(notes[0]!, /^[2-5] of 5 layers do not fit into memory/);
  });
});

describe('weights stay in their scheme', () => {
  const config = { ...CONFIG, kvLoraRank: 64, qkNopeHeadDim: 32, vHeadDim: 32, numAttentionHeads: 2 };
  for (const scheme of ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0'] as const) {
    it(scheme, async () => {
      const model = memoryModel(config, { scheme });
      const expected = await oracleLogits(model, IDS);
      for (const attention of ['expanded', 'latent'] as const) {
        const rows = await collect(model, [IDS], { attention });
        for (const [t, row] of rows.entries()) {
          const difference = expected[t]!.reduce((max, e, id) => Math.max(max, Math.abs(e - row[id]!)), 0);
          assert.ok(difference <= TOLERANCE, `${attention}: ${difference} at position ${t}`);
        }
      }
    });
  }
});

describe('the same bits', () => {
  const model = memoryModel({ ...CONFIG, qLoraRank: 24, ffnBias: true }, { scheme: 'Q8_0' });
  const oneByOne = IDS.map((id) => [id]);
  const inSevens = [IDS.slice(0, 7), IDS.slice(7, 14), IDS.slice(14)];
  const CASES: Readonly<
    Record<string, { parts: readonly (readonly number[])[]; options?: Partial<RuntimeOptions> }>
  > = {
    'tokens one by one': { parts: oneByOne },
    'tokens in sevens': { parts: inSevens },
    'batches of 3': { parts: [IDS], options: { batch: 3 } },
    'batches of 1 on two threads': { parts: [IDS], options: { batch: 1, threads: 2 } },
    'three threads': { parts: [IDS], options: { threads: 3 } },
  };
  for (const form of [
    { attention: 'expanded' },
    { attention: 'latent' },
    { attention: 'latent', ffn: 'sparse' },
  ] as const) {
    for (const [name, { parts, options }] of Object.entries(CASES)) {
      it(`${Object.values(form).join(', ')}, ${name}`, async () => {
        const expected = await collect(model, [IDS], form);
        assert.deepEqual(await collect(model, parts, { ...form, ...options }), expected);
      });
    }
    it(`${Object.values(form).join(', ')}, plain kernels`, async (t) => {
      const expected = await collect(model, [IDS], form);
      usePlainKernels(t);
      assert.deepEqual(await collect(model, inSevens, form), expected);
    });
  }
});

describe('the sequence', () => {
  const model = memoryModel(CONFIG);

  it('goes on after forward and next, and starts anew after reset', async () => {
    const expected = await collect(model, [IDS]);
    const runtime = await PlmRuntime.open(model, { contextLength: 32, threads: 1 });
    await runtime.forward(IDS.slice(0, 5));
    assert.equal(runtime.position, 5);
    assert.deepEqual(await runtime.next(IDS.slice(5, 9)), expected[8]);
    assert.deepEqual(await runtime.next(IDS.slice(9, 10)), expected[9]);
    assert.equal(runtime.position, 10);
    runtime.reset();
    assert.equal(runtime.position, 0);
    assert.deepEqual(await runtime.next(IDS), expected.at(-1));
    await runtime.close();
  });

  it('refuses ids outside the vocabulary and positions beyond the context, and stays as it was', async () => {
    const runtime = await PlmRuntime.open(model, { contextLength: 4, threads: 1 });
    await runtime.forward([1, 2]);
    for (const id of [-1, 300, 0.5, Number.NaN]) {
      await assert.rejects(runtime.forward([1, id]), pressFailure('invalid-input', /token id/));
    }
    await assert.rejects(runtime.next([1, 2, 3]), pressFailure('invalid-input', /positions, got 5/));
    await assert.rejects(runtime.next([]), pressFailure('invalid-input', /no tokens/));
    assert.equal(runtime.position, 2);
    await runtime.forward([3, 4]);
    await runtime.close();
  });

  it('says what it holds', async () => {
    const sizes = { expanded: 2 * 4 * (16 + 8 + 16), latent: 2 * (32 + 8) };
    for (const attention of ['expanded', 'latent'] as const) {
      const runtime = await PlmRuntime.open(model, { contextLength: 4, threads: 1, attention });
      assert.equal(runtime.kvBytesPerToken, 4 * sizes[attention]);
      await runtime.close();
    }
  });

  it('hears a signal between layers and while loading', async () => {
    const controller = new AbortController();
    const options = { contextLength: 32, threads: 1, signal: controller.signal };
    const runtime = await PlmRuntime.open(model, options);
    const forward = runtime.forward(IDS);
    setImmediate(() => controller.abort());
    await assert.rejects(forward, { name: 'AbortError' });
    assert.equal(runtime.position, 0);
    await runtime.close();
    await assert.rejects(PlmRuntime.open(model, options), { name: 'AbortError' });
  });

  it('hears a signal between two rows of logits', async () => {
    const controller = new AbortController();
    const options = { contextLength: 32, threads: 1, signal: controller.signal };
    const runtime = await PlmRuntime.open(model, options);
    let rows = 0;
    const read = async () => {
      for await (const _ of runtime.logits(IDS)) if (rows++ === 0) setImmediate(() => controller.abort());
    };
    await assert.rejects(read(), { name: 'AbortError' });
    assert.equal(rows, 1);
    await runtime.close();
  });

  it('tells how many bytes of weights are loaded', async () => {
    const events: ProgressEvent[] = [];
    const progress = (event: ProgressEvent) => events.push(event);
    await (await PlmRuntime.open(model, { contextLength: 4, threads: 1, progress })).close();
    const [phase, last] = [events[0], events.at(-1)];
    assert.ok(phase?.kind === 'phase' && last?.kind === 'advance');
    assert.equal(last.done, phase.total);
  });
});

describe('what cannot be opened', () => {
  it('more positions than the model knows', async () => {
    const options = { contextLength: 65, threads: 1 };
    await assert.rejects(PlmRuntime.open(memoryModel(CONFIG), options), pressFailure('usage', /at most 64/));
  });

  it('a cache that leaves no room for a layer: said before anything is read', async () => {
    const options = { contextLength: 4096, threads: 2, attention: 'expanded' } as const;
    const wide = { ...PLM_1_8B, numAttentionHeads: 32 };
    await assert.rejects(
      PlmRuntime.open(hollowModel(wide), options),
      pressFailure(
        'local-io',
        /needed with one layer at a time, 5120\.0 MiB of them for the expanded cache of 4096 positions, expected at most 409/,
      ),
    );
  });

  it('a model that lacks a tensor', async () => {
    const model = memoryModel(CONFIG);
    const tensors = new Map(model.tensors);
    tensors.delete('model.norm.weight');
    await assert.rejects(
      PlmRuntime.open({ ...model, tensors }, { contextLength: 16 }),
      pressFailure('invalid-input', /model\.norm\.weight: tensor is missing/),
    );
  });
});

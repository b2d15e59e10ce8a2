import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Model } from '../../src/core/model.ts';
import type { Engine, Sampling } from '../../src/webgpu/engine.ts';
import type { MatrixScheme } from '../../src/webgpu/planes.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryBundle } from '../support/builders/memory-bundle.ts';
import { memoryModel } from '../support/builders/memory-model.ts';
import { randomGeometry } from '../support/builders/random-geometry.ts';
import { NO_DAWN, openDawn, withLimits } from '../support/drivers/dawn.ts';
import { webgpuRuntime } from '../support/drivers/webgpu-runtime.ts';
import { logitsOf } from '../support/oracles/logits.ts';
import { sampledFrom } from '../support/oracles/sampling-oracle.ts';

/**
 * Largest difference of a logit beside the largest logit, from the runtime on the same weights: a cache of 11
 * bits, measured 5e-4. Everything else is f32.
 */
const LIMIT = 1e-3;

const SCHEMES: readonly MatrixScheme[] = ['q4', 'q8', 'f16'];

/** An engine on a device that is looked after: whatever it complains of fails the test. */
async function openEngine(
  t: TestContext,
  device: GPUDevice,
  model: Model,
  schemeOf: (name: string) => MatrixScheme,
) {
  const { createEngine } = await webgpuRuntime();
  const complaints: string[] = [];
  device.onuncapturederror = ({ error }) => complaints.push(error.message);
  const { manifest, shards, decoded } = await memoryBundle(model, schemeOf);
  const engine = await createEngine(device, manifest);
  t.after(() => {
    engine.dispose();
    assert.deepEqual(complaints, []);
  });
  for (const [index, shard] of shards.entries()) engine.writeShard(index, shard);
  return { engine, decoded };
}

async function rowsOf(engine: Engine, ...batches: (readonly number[])[]): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (const ids of batches) for await (const row of engine.logits(ids)) rows.push(row);
  return rows;
}

function assertClose(rows: readonly Float32Array[], expected: readonly Float32Array[]): void {
  assert.equal(rows.length, expected.length);
  const largest = expected.reduce((most, row) => row.reduce((a, b) => Math.max(a, Math.abs(b)), most), 0);
  for (const [at, row] of rows.entries()) {
    const off = row.reduce((most, value, id) => Math.max(most, Math.abs(value - expected[at]![id]!)), 0);
    assert.ok(off <= LIMIT * largest, `position ${at}: off by ${off}, the largest logit is ${largest}`);
  }
}

describe('logits of random geometries', { skip: NO_DAWN }, () => {
  for (let seed = 1; seed <= 2; seed++) {
    const subgroups = seed % 2 === 0;
    it(`seed ${seed}, ${subgroups ? 'with' : 'without'} subgroups`, async (t) => {
      const model = memoryModel(randomGeometry(seed), { seed });
      const device = await openDawn(t, subgroups ? ['subgroups'] : []);
      // Matrices of all schemes side by side, and each seed another arrangement.
      const { engine, decoded } = await openEngine(
        t,
        device,
        model,
        (name) => SCHEMES[(name.length + seed) % 3]!,
      );
      const ids = [3, 41, 59, 26, 5, 3, 58, 97, 93, 23];
      const rows = await rowsOf(engine, ids.slice(0, 6), ids.slice(6, 7), ids.slice(7, 8), ids.slice(8));
      assertClose(rows, await logitsOf(decoded, ids));
    });
  }
});

describe('a small model', { skip: NO_DAWN }, () => {
  const config = { ...SMALL_PLM, maxPositionEmbeddings: 160 };
  const ids = Array.from({ length: 150 }, (_, i) => (i * 37 + 3) % 256);

  it('over several ranges of the cache, with matrices in several bindings', async (t) => {
    const device = withLimits(await openDawn(t, ['subgroups']), { maxStorageBufferBindingSize: 150_000 });
    const { engine, decoded } = await openEngine(
      t,
      device,
      memoryModel({ ...config, vocabSize: 2000 }),
      (name) => (name.includes('embed') ? 'q8' : 'q4'),
    );
    const { largestBinding } = await engine.stats();
    assert.ok(largestBinding <= 150_000, `${largestBinding}`);
    assertClose(
      await rowsOf(engine, ids.slice(0, 140), ...ids.slice(140).map((id) => [id])),
      await logitsOf(decoded, ids),
    );
  });

  it('tokens are picked, by the likeliest and by chance', async (t) => {
    const { engine, decoded } = await openEngine(
      t,
      await openDawn(t, ['subgroups']),
      memoryModel(config),
      () => 'q8',
    );
    const prompt = ids.slice(0, 7);
    const expected = [...prompt];
    for (let i = 0; i < 6; i++) {
      const row = (await logitsOf(decoded, expected)).at(-1)!;
      expected.push(row.indexOf(Math.max(...row)));
    }
    const first = await engine.generate(prompt, 4, {});
    assert.equal(engine.position, prompt.length + 3);
    const second = await engine.generate([first.at(-1)!], 2, {});
    assert.deepEqual([...prompt, ...first, ...second], expected);
    engine.truncate(3);
    assert.deepEqual([...(await engine.generate(prompt.slice(3), 4, {}))], [...first]);
    await sampling(engine, prompt, (await logitsOf(decoded, prompt)).at(-1)!);
    await figures(engine);
    await refusals(engine);
  });

  async function sampling(engine: Engine, prompt: readonly number[], logits: Float32Array): Promise<void> {
    const choices: Sampling[] = [
      { temperature: 0.7, topK: 5 },
      { temperature: 1, topP: 0.2 },
      { temperature: 1, minP: 0.5 },
      { temperature: 2, topK: 40, topP: 0.5, repetitionPenalty: 1.3 },
      { temperature: 0, repetitionPenalty: 3 },
      // Most of the likeliest tokens are padding.
      { temperature: 0, tokens: 37 },
      { temperature: 1, topK: 5, tokens: 37 },
      { temperature: 3, tokens: 3 },
    ];
    for (const choice of choices) {
      const kept = sampledFrom(logits, new Set(prompt), choice);
      const picked: number[] = [];
      for (let seed = 1; seed <= 24; seed++) {
        engine.truncate(prompt.length - 1);
        const [id] = await engine.generate(prompt.slice(-1), 1, { ...choice, seed });
        picked.push(id!);
      }
      assert.deepEqual(
        picked.filter((id) => !kept.has(id)),
        [],
        JSON.stringify(choice),
      );
      // Chance brings several of those that it may bring, the same of the same seed.
      if (kept.size > 1) assert.ok(new Set(picked).size > Math.min(kept.size, 4) / 2, JSON.stringify(choice));
      engine.truncate(prompt.length - 1);
      const [again] = await engine.generate(prompt.slice(-1), 1, { ...choice, seed: 24 });
      assert.equal(again, picked.at(-1));
    }
  }

  async function figures(engine: Engine): Promise<void> {
    const { dispatches, firing, bytesPerToken, weightBytes, cacheBytes } = await engine.stats();
    // Look-up, 7 a layer, head, choice.
    assert.deepEqual(dispatches, { layer: 7, token: 1 + 7 * config.numHiddenLayers + 1 + 1 });
    assert.equal(firing.length, config.numHiddenLayers);
    for (const share of firing) assert.ok(share > 0.3 && share < 0.7, `${share}`);
    assert.equal(bytesPerToken.dense, weightBytes);
    assert.ok(bytesPerToken.sparse < bytesPerToken.dense);
    const words = config.kvLoraRank + config.qkRopeHeadDim;
    assert.equal(cacheBytes, 2 * words * config.numHiddenLayers * config.maxPositionEmbeddings);
    assert.equal(bytesPerToken.cache, (engine.position * cacheBytes) / config.maxPositionEmbeddings);
  }

  async function refusals(engine: Engine): Promise<void> {
    engine.truncate(0);
    await assert.rejects(rowsOf(engine, [512]), {
      code: 'usage',
      message: /token id 512; expected 0 to 511/,
    });
    const many = Array<number>(161).fill(1);
    await assert.rejects(rowsOf(engine, many), {
      code: 'usage',
      message: /161 tokens; expected at most 160/,
    });
    await assert.rejects(engine.generate(many.slice(3), 4, {}), { code: 'usage', message: /161 tokens/ });
    await assert.rejects(engine.generate([], 1, {}), { code: 'usage', message: 'no tokens to continue' });
  }
});

it('weights that give no numbers are told', { skip: NO_DAWN }, async (t) => {
  const { createEngine } = await webgpuRuntime();
  const { manifest, shards } = await memoryBundle(memoryModel(SMALL_PLM), () => 'f16');
  const engine = await createEngine(await openDawn(t, ['subgroups']), manifest, { contextLength: 8 });
  t.after(() => engine.dispose());
  // Halves of all ones are no numbers.
  for (const [index, shard] of shards.entries()) engine.writeShard(index, shard.fill(0xff));
  await assert.rejects(engine.generate([1], 1, {}), { code: 'wrong-results' });
});

describe('an engine is not made', { skip: NO_DAWN }, () => {
  const up = 'model.layers.0.mlp.up_proj.weight';
  const cases: readonly [what: string, changes: Record<string, object>, binding: number, message: string][] =
    [
      [
        'of a vector with two rows',
        { 'model.norm.weight': { rows: 2 } },
        2 ** 27,
        'model.norm.weight is not a vector',
      ],
      ['of a matrix of floats', { [up]: { scheme: 'f32' } }, 2 ** 27, `${up} is not a matrix`],
      ['without a matrix', { [up]: { name: 'other' } }, 2 ** 27, `manifest.json: no tensor ${up}`],
      ['where a row is wider than a binding', {}, 1000, 'has rows too wide for a binding'],
      ['where a matrix of a layer is larger than a binding', {}, 40_000, 'is larger than a binding'],
    ];
  for (const [what, changes, maxStorageBufferBindingSize, message] of cases) {
    it(what, async (t) => {
      const { createEngine } = await webgpuRuntime();
      const device = withLimits(await openDawn(t), { maxStorageBufferBindingSize });
      const { manifest } = await memoryBundle(memoryModel(SMALL_PLM), () => 'q8');
      const tensors = manifest.tensors.map((tensor) => ({ ...tensor, ...changes[tensor.name] }));
      await assert.rejects(createEngine(device, { ...manifest, tensors }), (error: Error) => {
        assert.equal((error as Error & { code: string }).code, 'invalid-bundle');
        assert.ok(error.message.endsWith(message), error.message);
        return true;
      });
    });
  }
});

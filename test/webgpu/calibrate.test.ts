import assert from 'node:assert/strict';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { type CollectOptions, collectStatistics } from '../../calibration/collect.ts';
import type { PlmConfig } from '../../src/core/config.ts';
import type { Model } from '../../src/core/model.ts';
import { absorbMla } from '../../src/passes/absorb-mla.ts';
import { openDeviceStatistics } from '../../src/pipeline/engines/webgpu-statistics.ts';
import { readImatrix } from '../../src/pipeline/sources/read-imatrix.ts';
import { type ActivationStatistics, SITES } from '../../src/runtime/activation-sums.ts';
import type { Site } from '../../src/runtime/site.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel, withTensors } from '../support/builders/memory-model.ts';
import { ODD_PLM } from '../support/builders/odd-plm.ts';
import { BLOCKS_OF_256, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import {
  changeDevices,
  NO_DAWN,
  shareDevice,
  useSoftwareGpu,
  withLimits,
  withMembers,
} from '../support/drivers/dawn.ts';
import { runCli, spawnCli } from '../support/drivers/run-cli.ts';
import { withoutPackage } from '../support/fakes/without-package.ts';
import { fixture } from '../support/paths.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

before(useSoftwareGpu);
before(shareDevice);

/** Batches that are full, have a rest, and are a single token. */
const CHUNKS = [
  { ids: Array.from({ length: 40 }, (_, i) => (i * 37 + 3) % 256), weight: 1 },
  { ids: [5, 6, 7], weight: 2 },
  { ids: [8], weight: 0.5 },
];
const CONTEXT = 40;

const ONE_LAYER: PlmConfig = {
  ...SMALL_PLM,
  hiddenSize: 96,
  numHiddenLayers: 1,
  intermediateSizes: [160],
  maxPositionEmbeddings: CONTEXT,
  numAttentionHeads: 2,
  kvLoraRank: 64,
};

/** Copies of the sums of every reading. */
async function collect(
  model: Model,
  options: Partial<CollectOptions> = {},
): Promise<[ActivationStatistics, ...ActivationStatistics[]]> {
  const readings: ActivationStatistics[] = [];
  await collectStatistics(model, CHUNKS, { contextLength: CONTEXT, ...options }, (sums) => {
    readings.push(structuredClone(sums));
  });
  return readings as [ActivationStatistics];
}

function collectOnDevice(model: Model, options: Partial<CollectOptions> = {}) {
  return collect(model, {
    ...options,
    open: (request) => openDeviceStatistics(model, request, { contextLength: CONTEXT, threads: 1 }),
  });
}

/** Root mean square of the difference over that of `expected`. */
function distance(actual: Float64Array, expected: Float64Array): number {
  assert.equal(actual.length, expected.length);
  const norm = (values: Float64Array) => Math.hypot(...values);
  return norm(actual.map((value, i) => value - expected[i]!)) / norm(expected);
}

/** What the cache in f16 does not reach. */
const BEFORE_CACHE: readonly Site[] = ['input', 'latent', 'query'];
/** Sums of squares over a batch in f32. */
const SUM_ERROR = 2e-6;
/** The latent loses 2^-12 of itself at most to the cache, and squares twice that; later layers take it on. */
const CACHE_ERROR = 2e-3;

function assertClose(actual: ActivationStatistics, expected: ActivationStatistics): void {
  assert.equal(actual.tokens, expected.tokens);
  for (const [index, layer] of actual.layers.entries()) {
    const other = expected.layers[index]!;
    for (const site of SITES) {
      const limit = index === 0 && BEFORE_CACHE.includes(site) ? SUM_ERROR : CACHE_ERROR;
      const error = distance(layer.squares[site], other.squares[site]);
      assert.ok(error <= limit, `layer ${index}, ${site}: ${error}`);
    }
    assert.ok(distance(layer.activations, other.activations) <= CACHE_ERROR);
    // Neurons that hardly fire may do so or not.
    const moved = layer.firings.reduce((sum, count, i) => sum + Math.abs(count - other.firings[i]!), 0);
    assert.ok(moved <= 0.005 * other.firings.reduce((a, b) => a + b, 0), `${moved} firings more or less`);
    const words = layer.fired.filter((word, i) => word !== other.fired[i]).length;
    assert.ok(words <= 2 * moved + 2, `${words} words of samples differ, ${moved} firings`);
  }
  assert.ok(distance(actual.head, expected.head) <= CACHE_ERROR);
}

describe('sums of a GPU', { skip: NO_DAWN }, () => {
  it('are those of the CPU but for its cache in f16, and the same in every reading', async () => {
    const model = memoryModel({ ...ODD_PLM, maxPositionEmbeddings: CONTEXT }, { scheme: 'F16' });
    const [expected] = await collect(model);
    const [actual, again] = await collectOnDevice(model, { readings: [[], []] });
    assertClose(actual, expected);
    assert.deepEqual(again, actual);
  });

  it('take matrices of Q8_0 and Q4_0 as they are', async () => {
    const halves = memoryModel(ONE_LAYER, { scheme: 'Q4_0' });
    const names = ['q_proj', 'o_proj'].map((matrix) => `model.layers.0.self_attn.${matrix}.weight`);
    const model = withTensors(
      memoryModel(ONE_LAYER, { scheme: 'Q8_0' }),
      ...names.map((name) => halves.tensors.get(name)!),
    );
    const [expected] = await collect(model);
    const [actual] = await collectOnDevice(model);
    assertClose(actual, expected);
  });

  it('need kv_b_proj in one, no second moments, and a context that the model knows', async () => {
    const refused = (model: Model, options: Partial<CollectOptions>, failure: string, message: RegExp) =>
      assert.rejects(collectOnDevice(model, options), (error: { failure: string; message: string }) => {
        assert.equal(error.failure, failure);
        assert.match(error.message, message);
        return true;
      });
    const model = memoryModel(ONE_LAYER);
    const absorbed = absorbMla.run(model, { form: 'premultiplied' });
    await refused(absorbed, {}, 'unsupported', /this model is premultiplied, expected the device cpu$/);
    const moments = [[{ layer: 0, site: 'input' as const }]];
    await refused(model, { readings: moments }, 'unsupported', /^second moments are not collected/);
    const short = memoryModel({ ...ONE_LAYER, maxPositionEmbeddings: CONTEXT - 1 });
    await refused(short, {}, 'usage', /^a context of 40 positions/);
  });

  it('need room, wide bindings and a GPU that does what it is told', async (t) => {
    const refused = async (
      change: (device: GPUDevice) => GPUDevice,
      error: RegExp | ReturnType<typeof pressFailure>,
    ) => {
      changeDevices(t, change);
      await assert.rejects(collectOnDevice(memoryModel(ONE_LAYER)), error);
      t.mock.restoreAll();
    };
    await refused(
      (device) => withMembers(device, { popErrorScope: async () => ({ message: 'none is left' }) }),
      pressFailure('local-io', /^the GPU has too little memory: none is left$/),
    );
    await refused(
      (device) => withLimits(device, { maxStorageBufferBindingSize: 1000 }),
      pressFailure('unsupported', /tensor model\.\S+ has rows too wide for a binding$/),
    );
    const addEventListener = (_: string, listen: (event: { error: { message: string } }) => void) => {
      listen({ error: { message: 'no such kernel' } });
      listen({ error: { message: 'what follows from it' } });
    };
    await refused(
      (device) =>
        withMembers(device, { addEventListener: addEventListener as GPUDevice['addEventListener'] }),
      /^Error: the GPU fails: no such kernel$/,
    );
  });
});

describe('calibrate --device webgpu', { skip: NO_DAWN }, () => {
  const TEXT = fixture('text', 'calibration.txt');

  it('writes what convert goes by', async (t) => {
    const folder = temporaryFolder(t);
    const source = path.join(folder, 'model');
    writeRandomCheckpoint(source, { config: BLOCKS_OF_256 });
    const run = async (...argv: string[]) => {
      const { code, stdout, stderr } = await runCli([...argv, '--quiet']);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    const [cpu, gpu] = ['cpu', 'webgpu'].map((device) => path.join(folder, device)) as [string, string];
    const texts = ['--text', TEXT, '--tokens', '40', '--context', '33'];
    await run('calibrate', source, ...texts, '-o', cpu);
    await run('calibrate', source, ...texts, '-o', gpu, '--device', 'webgpu', '--resume');
    const [expected, actual] = await Promise.all([cpu, gpu].map(readImatrix));
    assert.deepEqual([...actual!.entries.keys()], [...expected!.entries.keys()]);
    for (const [name, squares] of actual!.entries) {
      const error = distance(Float64Array.from(squares), Float64Array.from(expected!.entries.get(name)!));
      assert.ok(error <= CACHE_ERROR, `${name}: ${error}`);
    }
    const targets = ['--to', 'gguf:q4_k_m', '--to', 'onnx:q4', '--pass', 'scale-inputs'];
    await run('convert', source, ...targets, '--imatrix', gpu, '--statistics', gpu, '-o', folder);
  });

  it('tells where there is no GPU, and where Dawn is not installed', async (t) => {
    const folder = temporaryFolder(t);
    const argv = ['calibrate', fixture('plm-tiny'), '--text', TEXT, '--tokens', '40', '--quiet'];
    const failing = async (name: string, value: string, message: RegExp) => {
      const before = process.env[name];
      process.env[name] = value;
      try {
        const result = await spawnCli([...argv, '--device', 'webgpu', '-o', path.join(folder, 'stats.gguf')]);
        assert.equal(result.code, 7, result.stderr);
        assert.match(result.stderr, message);
      } finally {
        if (before === undefined) delete process.env[name];
        else process.env[name] = before;
      }
    };
    await failing('VK_ICD_FILENAMES', path.join(folder, 'none'), /error: no GPU: Dawn finds no adapter/);
    await failing(
      'NODE_OPTIONS',
      withoutPackage('webgpu'),
      /error: WebGPU is not installed, expected the package webgpu/,
    );
  });
});

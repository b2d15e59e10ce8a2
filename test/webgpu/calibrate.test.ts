import assert from 'node:assert/strict';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import {
  openStatisticsRuntime,
  type ReadingOptions,
  type StatisticsRequest,
  type StatisticsRuntime,
} from '../../calibration/statistics-runtime.ts';
import { openHfFolder } from '../../formats/hf/import.ts';
import type { PlmConfig } from '../../src/core/config.ts';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import { closeModel, type Model } from '../../src/core/model.ts';
import { absorbMla } from '../../src/passes/absorb-mla.ts';
import { calibrate } from '../../src/pipeline/calibration/calibrate.ts';
import { openDeviceStatistics } from '../../src/pipeline/engines/webgpu-statistics.ts';
import { readImatrix } from '../../src/pipeline/sources/read-imatrix.ts';
import { ResidentStates } from '../../src/runtime/hidden-states.ts';
import {
  type HeadStatistics,
  type LayerStatistics,
  type MomentSite,
  SITES,
} from '../../src/runtime/layer-sums.ts';
import type { Site } from '../../src/runtime/site.ts';
import { MAP_READ, STORAGE } from '../../src/webgpu/engine/buffer-usage.ts';
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

const MOMENTS: ReadonlySet<MomentSite> = new Set([
  'input',
  'latent',
  'attended',
  'ffn',
  'activations',
  'head',
]);

type Open = (model: Model, request: StatisticsRequest, options: ReadingOptions) => Promise<StatisticsRuntime>;

interface Collected {
  readonly layers: readonly LayerStatistics[];
  readonly head: HeadStatistics;
}

/** Copies of all sums, those of the layers that `from` is behind left out. */
async function collect(
  open: Open,
  model: Model,
  {
    moments: sites = MOMENTS,
    from,
  }: { moments?: ReadonlySet<MomentSite>; from?: ReadingOptions['from'] } = {},
): Promise<Collected> {
  const runtime = await open(
    model,
    { chunks: CHUNKS, moments: sites },
    { threads: 1, ...(from && { from }) },
  );
  try {
    const layers: LayerStatistics[] = [];
    for (let layer = from?.layers ?? 0; layer < model.config.numHiddenLayers; layer++) {
      const { moments, ...sums } = await runtime.nextLayer();
      layers.push({
        ...sums,
        moments: new Map([...moments].map(([site, values]) => [site, values.slice()])),
      });
    }
    const { squares, moments } = await runtime.head();
    return { layers, head: { squares, moments: moments?.slice() } };
  } finally {
    await runtime.close();
  }
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

/** Sums of products in f32, of the magnitudes of their terms. */
const MOMENT_ERROR = 4e-6;

function assertClose(actual: Collected, expected: Collected): void {
  assert.equal(actual.layers.length, expected.layers.length);
  for (const [index, layer] of actual.layers.entries()) {
    const other = expected.layers[index]!;
    const within = (error: number, limit: number, what: string) =>
      assert.ok(error <= limit, `layer ${index}, ${what}: ${error}`);
    for (const site of SITES) {
      const limit = index === 0 && BEFORE_CACHE.includes(site) ? SUM_ERROR : CACHE_ERROR;
      within(distance(layer.squares[site], other.squares[site]), limit, site);
      if (!MOMENTS.has(site as MomentSite)) continue;
      const moments = layer.moments.get(site as MomentSite)!;
      const most = Math.max(limit, MOMENT_ERROR);
      within(distance(moments, other.moments.get(site as MomentSite)!), most, `moments of ${site}`);
      within(
        distance(diagonal(moments), layer.squares[site]),
        MOMENT_ERROR + SUM_ERROR,
        `diagonal of ${site}`,
      );
    }
    within(distance(layer.activations, other.activations), CACHE_ERROR, 'sums');
    // Neurons that hardly fire may do so or not.
    const moved = layer.firings.reduce((sum, count, i) => sum + Math.abs(count - other.firings[i]!), 0);
    assert.ok(moved <= 0.005 * other.firings.reduce((a, b) => a + b, 0), `${moved} firings more or less`);
    const words = layer.fired.filter((word, i) => word !== other.fired[i]).length;
    assert.ok(words <= 2 * moved + 2, `${words} words of samples differ, ${moved} firings`);
  }
  const { squares, moments } = actual.head;
  assert.ok(distance(squares, expected.head.squares) <= CACHE_ERROR);
  assert.ok(distance(moments!, expected.head.moments!) <= CACHE_ERROR);
  assert.ok(distance(diagonal(moments!), squares) <= MOMENT_ERROR + SUM_ERROR);
}

/** Of an upper triangle, row by row. */
function diagonal(triangle: Float64Array): Float64Array {
  const values: number[] = [];
  const size = (Math.sqrt(8 * triangle.length + 1) - 1) / 2;
  for (let row = 0, at = 0; row < size; at += size - row++) values.push(triangle[at]!);
  return Float64Array.from(values);
}

describe('sums of a GPU', { skip: NO_DAWN }, () => {
  const odd = () => memoryModel({ ...ODD_PLM, maxPositionEmbeddings: CONTEXT }, { scheme: 'F16' });

  it('are those of the CPU but for its cache in f16, and the same every time', async () => {
    const actual = await collect(openDeviceStatistics, odd());
    assertClose(actual, await collect(openStatisticsRuntime, odd()));
    assert.deepEqual(await collect(openDeviceStatistics, odd()), actual);
  });

  it('take embeddings as they are, and matrices of Q8_0 and Q4_0', async () => {
    const halves = memoryModel(ONE_LAYER, { scheme: 'Q4_0' });
    const names = ['q_proj', 'o_proj'].map((matrix) => `model.layers.0.self_attn.${matrix}.weight`);
    const model = withTensors(
      memoryModel(ONE_LAYER, { scheme: 'Q8_0' }),
      ...names.map((name) => halves.tensors.get(name)!),
      memoryModel(ONE_LAYER).tensors.get('model.embed_tokens.weight')!,
    );
    assertClose(await collect(openDeviceStatistics, model), await collect(openStatisticsRuntime, model));
  });

  it('are only those that are asked for', async () => {
    const moments = new Set<MomentSite>(['ffn']);
    const all = await collect(openDeviceStatistics, odd());
    const { layers, head } = await collect(openDeviceStatistics, odd(), { moments });
    for (const [index, layer] of layers.entries()) {
      assert.deepEqual([...layer.moments.keys()], ['ffn']);
      assert.deepEqual(layer.moments.get('ffn'), all.layers[index]!.moments.get('ffn'));
      assert.deepEqual(layer.squares, all.layers[index]!.squares);
    }
    assert.deepEqual(head, { squares: all.head.squares, moments: undefined });
  });

  it('go on from the hidden states after any layer', async () => {
    const model = odd();
    const { hiddenSize, numHiddenLayers } = model.config;
    const all = await collect(openDeviceStatistics, model);
    const states = new ResidentStates(44, hiddenSize);
    const request = { chunks: CHUNKS, moments: MOMENTS };
    const runtime = await openDeviceStatistics(model, request, { from: { states, layers: 0 } });
    await runtime.nextLayer();
    const kept = states.values.slice();
    await runtime.close();
    for (const layers of [1, numHiddenLayers]) {
      const from = { states: new ResidentStates(44, hiddenSize), layers };
      if (layers === 1) from.states.values.set(kept);
      else from.states.values.set(states.values);
      const rest = await collect(openDeviceStatistics, model, { from });
      assert.deepEqual(rest, { layers: all.layers.slice(layers), head: all.head });
      states.values.set(from.states.values);
    }
  });

  it('need kv_b_proj in one, and a context that the model knows', async () => {
    const model = memoryModel(ONE_LAYER);
    const absorbed = absorbMla.run(model, { form: 'premultiplied' });
    await assert.rejects(
      collect(openDeviceStatistics, absorbed),
      pressFailure('unsupported', /this model is premultiplied, expected the device cpu$/),
    );
    const short = memoryModel({ ...ONE_LAYER, maxPositionEmbeddings: CONTEXT - 1 });
    await assert.rejects(
      collect(openDeviceStatistics, short),
      pressFailure('usage', /^a context of 40 positions/),
    );
  });

  it('need room, wide bindings and a GPU that stays and does what it is told', async (t) => {
    const refused = async (
      change: (device: GPUDevice) => GPUDevice,
      error: RegExp | ReturnType<typeof pressFailure>,
    ) => {
      changeDevices(t, change);
      await assert.rejects(collect(openDeviceStatistics, memoryModel(ONE_LAYER)), error);
      t.mock.restoreAll();
    };
    const tooLittle = pressFailure('local-io', /^the GPU has too little memory: none is left$/);
    for (const enough of [0, 1, 2]) {
      let scopes = 0;
      await refused(
        (device) =>
          withMembers(device, {
            popErrorScope: async () => {
              await device.popErrorScope();
              return scopes++ < enough ? null : { message: 'none is left' };
            },
          }),
        tooLittle,
      );
    }
    await refused(
      (device) => withLimits(device, { maxStorageBufferBindingSize: 1000 }),
      pressFailure('unsupported', /tensor model\.\S+ has rows too wide for a binding$/),
    );
    await refused(
      (device) =>
        withMembers(device, {
          createShaderModule(descriptor) {
            device.createBuffer({ size: 4, usage: MAP_READ | STORAGE });
            return device.createShaderModule(descriptor);
          },
        }),
      /^Error: the GPU fails: Buffer usages/,
    );
    await refused(
      (device) => {
        let batches = 0;
        let lose = (_: GPUDeviceLostInfo): void => {};
        const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
          lose = resolve;
        });
        const queue = new Proxy(device.queue, {
          get(target, name) {
            if (name === 'submit' && ++batches === 2) lose({ message: 'hung' } as GPUDeviceLostInfo);
            const value = Reflect.get(target, name);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        });
        return withMembers(device, { queue, lost });
      },
      pressFailure('local-io', /^the GPU was lost: hung, expected another try, or the device cpu$/),
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
    const texts = ['--text', TEXT, '--tokens', '40', '--context', '33', '--second-moments', 'all'];
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
    await run('convert', source, '--to', 'gguf:q4_0', '--quality', 'best', '--statistics', gpu, '-o', folder);
  });

  it('goes on at the layer where it was interrupted, with the same bytes', async (t) => {
    const folder = temporaryFolder(t);
    const source = path.join(folder, 'model');
    writeRandomCheckpoint(source, { config: { num_hidden_layers: 3 } });
    const model = await openHfFolder(source);
    t.after(() => closeModel(model));
    const run = async (name: string, until?: string) => {
      const controller = new AbortController();
      const items = new Set<string>();
      const progress = (event: ProgressEvent) => {
        if (event.kind !== 'advance' || event.item === undefined) return;
        items.add(event.item);
        if (event.item === until) controller.abort();
      };
      const { sha256 } = await calibrate({
        model,
        texts: [{ name: 'a', text: 'Call me Ishmael. '.repeat(5) }],
        output: path.join(folder, name),
        contextLength: 33,
        moments: ['q_proj', 'down_proj', 'lm_head'],
        device: 'webgpu',
        resume: true,
        signal: controller.signal,
        progress,
      });
      return { sha256, items: [...items] };
    };
    const { sha256 } = await run('whole');
    await assert.rejects(run('stats', 'layer 3 of 3'), { name: 'AbortError' });
    assert.deepEqual(await run('stats'), { sha256, items: ['layer 3 of 3', 'head'] });
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

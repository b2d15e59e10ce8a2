import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { type LoadOptions, type LoadProgress, loadModel } from '../../src/webgpu/load/load.ts';
import type { BundleManifest } from '../../src/webgpu/manifest.ts';
import { bundleError } from '../support/bundle-error.ts';
import { bundleBytes, type FakeBundleOptions, writeFakeBundle } from '../support/fakes/fake-bundle.ts';
import { FakeDevice, fakeGpu } from '../support/fakes/fake-device.ts';
import { fakeEngines } from '../support/fakes/fake-engine.ts';
import { FaultyServer } from '../support/fakes/faulty-server.ts';
import { setGlobal } from '../support/fakes/set-global.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function setUp(t: TestContext, options: FakeBundleOptions = {}) {
  const folder = temporaryFolder(t);
  const manifest = writeFakeBundle(folder, options);
  const server = await FaultyServer.start(t, folder);
  const { create, made } = fakeEngines();
  const device = new FakeDevice();
  const load = (more: LoadOptions = {}) => loadModel(server.url, create, { device: device.gpu, ...more });
  return { folder, manifest, server, create, made, device, load };
}

/** Holds an engine's shards to the files. */
function assertWhole(
  shards: ReadonlyMap<number, Uint8Array>,
  folder: string,
  manifest: BundleManifest,
): void {
  assert.equal(shards.size, manifest.shards.length);
  for (const [i, shard] of manifest.shards.entries())
    assert.deepEqual(shards.get(i), bundleBytes(folder, shard));
}

test('all files come once, by plain GET without Referer, and progress counts their bytes', async (t) => {
  const { folder, manifest, server, made, load } = await setUp(t);
  const told: LoadProgress[] = [];
  const model = await load({ onProgress: (progress) => told.push(progress) });
  assertWhole(made[0]!.shards, folder, manifest);

  assert.deepEqual(
    server.log.map(({ file }) => file).sort(),
    ['manifest.json', 'vocabulary.json', ...manifest.shards.map(({ file }) => file)].sort(),
  );
  for (const { method, range, referer } of server.log) {
    assert.deepEqual([method, range, referer], ['GET', undefined, undefined]);
  }
  const total = [manifest.tokenizer, ...manifest.shards].reduce((sum, { bytes }) => sum + bytes, 0);
  assert.deepEqual(told[0], { phase: 'manifest', loaded: 0, total: 0, file: 'manifest.json' });
  assert.deepEqual(told.at(-1), { phase: 'ready', loaded: total, total });
  const loaded = told.map((progress) => progress.loaded);
  assert.deepEqual(
    loaded,
    loaded.toSorted((a, b) => a - b),
  );
  assert.equal((await model.stats()).storage.networkBytes, total);
});

test('shards are in memory two at a time at most', async (t) => {
  const { manifest, server, device, create } = await setUp(t, { shards: 12 });
  let [written, most] = [0, 0];
  const counted: typeof create = async (...given) => {
    const engine = await create(...given);
    const write = engine.writeShard.bind(engine);
    engine.writeShard = (index, bytes) => {
      most = Math.max(most, server.shardRequests.length - written);
      write(index, bytes);
    };
    return engine;
  };
  device.queue.onSubmittedWorkDone = async () => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    written++;
  };
  await loadModel(server.url, counted, { device: device.gpu });
  assert.equal(written, manifest.shards.length);
  assert.equal(most, 2);
});

test('a dropped connection goes on where it ended, however often', async (t) => {
  const { folder, manifest, server, made, load } = await setUp(t, { shards: 2 });
  const { file } = manifest.shards[0]!;
  server.faults.set(file, [{ drop: 10_000 }, { drop: 20_000 }]);
  await load();
  assertWhole(made[0]!.shards, folder, manifest);
  const ranges = server.log.filter((request) => request.file === file).map(({ range }) => range);
  assert.deepEqual(ranges, [undefined, 'bytes=10000-', 'bytes=30000-']);
});

test('a server without ranges sends a dropped file again', async (t) => {
  const { folder, manifest, server, made, load } = await setUp(t, { shards: 2 });
  server.faults.set(manifest.shards[0]!.file, [{ drop: 10_000 }, { ignoreRange: true }]);
  server.faults.set(manifest.shards[1]!.file, [{ drop: 10_000 }, { status: 416 }]);
  await load();
  assertWhole(made[0]!.shards, folder, manifest);
});

test('a server that is busy is asked again, one that refuses is not', async (t) => {
  const { manifest, server, load, made } = await setUp(t);
  const [busy, refused] = manifest.shards.map(({ file }) => file);
  server.faults.set('manifest.json', [{ status: 503 }]);
  server.faults.set(busy!, [{ status: 500 }, { status: 429 }]);
  await load();
  server.clear();
  server.always.set(refused!, { status: 403 });
  await assert.rejects(load(), bundleError('network', new RegExp(`^${refused}: the server answers 403`)));
  assert.equal(server.log.filter(({ file }) => file === refused).length, 1);
  assert.ok(made[1]!.disposed);
});

test('a damaged shard is fetched once more, then refused by its name', async (t) => {
  const { folder, manifest, server, made, load } = await setUp(t);
  const { file } = manifest.shards[3]!;
  server.faults.set(file, [{ flip: 4711 }]);
  await load();
  assertWhole(made[0]!.shards, folder, manifest);

  server.always.set(file, { flip: 4711 });
  await assert.rejects(load(), bundleError('invalid-bundle', new RegExp(`^${file}: damaged`)));
  assert.ok(made[1]!.disposed && !made[1]!.shards.has(3));
});

test('a vocabulary that is none is refused', async (t) => {
  const { made, load } = await setUp(t, {
    change: (manifest) => Object.assign(manifest, { tokenizer: manifest.shards[0] }),
  });
  await assert.rejects(load(), bundleError('invalid-bundle', /^w-\w+\.bin: is not a tokenizer/));
  assert.ok(made.every(({ disposed }) => disposed));
});

test('an abort ends with its reason and leaves nothing', async (t) => {
  const { manifest, server, create, made } = await setUp(t);
  const { gpu, devices } = fakeGpu();
  setGlobal(t, 'navigator', { gpu });
  server.always.set(manifest.shards[2]!.file, { pause: 60_000 });
  const controller = new AbortController();
  const onProgress = ({ file }: LoadProgress) => {
    if (file === manifest.shards[4]!.file) controller.abort(new Error('enough'));
  };
  await assert.rejects(
    loadModel(server.url, create, { signal: controller.signal, onProgress }),
    /^Error: enough$/,
  );
  assert.deepEqual([made[0]!.disposed, devices[0]!.destroyed], [true, true]);
  await assert.rejects(
    loadModel(server.url, create, { signal: AbortSignal.abort(new Error('no')) }),
    /^Error: no$/,
  );
});

test('the device gets what the bundle asks for, or the reader why not', async (t) => {
  const { server, create, manifest } = await setUp(t);
  const load = () => loadModel(server.url, create);
  setGlobal(t, 'navigator', {});
  await assert.rejects(load(), bundleError('unsupported', /this browser has no WebGPU/));
  Object.assign(globalThis.navigator, { gpu: { requestAdapter: async () => null } });
  await assert.rejects(load(), bundleError('unsupported', /finds no graphics processor/));
  const small = fakeGpu(() => new FakeDevice([], { maxStorageBufferBindingSize: 1024 }));
  Object.assign(globalThis.navigator, { gpu: small.gpu });
  await assert.rejects(
    load(),
    bundleError('unsupported', /needs maxStorageBufferBindingSize of 65536, it offers 1024/),
  );
  assert.equal(server.shardRequests.length, 0, 'nothing is fetched for a device that is too small');

  const lost = new FakeDevice(['shader-f16']);
  const adapter = { ...lost, requestDevice: () => Promise.reject(new Error('it went away')) };
  Object.assign(globalThis.navigator, { gpu: { requestAdapter: async () => adapter } });
  await assert.rejects(
    load(),
    bundleError('unsupported', /^the graphics processor cannot be used: it went away$/),
  );

  const able = fakeGpu(() => new FakeDevice(['subgroups', 'timestamp-query']));
  Object.assign(globalThis.navigator, { gpu: able.gpu });
  const model = await load();
  assert.deepEqual(able.asked, [
    { requiredFeatures: ['subgroups'], requiredLimits: manifest.requirements.limits },
  ]);
  model.dispose();
  assert.ok(able.devices[0]!.destroyed);
  await assert.rejects(model.logits([1]), bundleError('usage', /disposed/));
});

test('a device without a feature that the bundle needs is refused', async (t) => {
  const { load } = await setUp(t, {
    change: ({ requirements }) => Object.assign(requirements, { features: ['shader-f16'] }),
  });
  await assert.rejects(
    load(),
    bundleError('unsupported', /this model needs shader-f16, which the graphics processor does not support$/),
  );
});

test('a page without crypto.subtle is told what is the matter', async (t) => {
  const { load } = await setUp(t);
  setGlobal(t, 'crypto', {});
  await assert.rejects(load(), bundleError('unsupported', /^this page is not a secure context/));
});

test('a file that is longer than the manifest says is refused by its name', async (t) => {
  const { load } = await setUp(t, {
    change: (manifest) => Object.assign(manifest, { tokenizer: { ...manifest.tokenizer, bytes: 1000 } }),
  });
  await assert.rejects(load(), bundleError('invalid-bundle', /^vocabulary\.json: more than the 1000 bytes/));
});

test('streams that fill no memory are read too', async (t) => {
  const { folder, manifest, made, load } = await setUp(t);
  const { fetch } = globalThis;
  setGlobal(t, 'fetch', async (...given: Parameters<typeof fetch>) => {
    const response = await fetch(...given);
    return new Response(response.body!.pipeThrough(new TransformStream()), response);
  });
  await load();
  assertWhole(made[0]!.shards, folder, manifest);
});

test('manifests that are not what they should be are refused by field', async (t) => {
  const folder = temporaryFolder(t);
  const manifest = writeFakeBundle(folder);
  const server = await FaultyServer.start(t, folder);
  const cases: readonly [change: (manifest: Json) => void, code: string, message: RegExp][] = [
    [(m) => (m.schema = 'other'), 'invalid-bundle', /^manifest\.json: schema: wrong value, got "other"/],
    [
      (m) => (m.version = 2),
      'unsupported',
      /version: .*newer version of plmpress, got 2, .*or use the runtime\.js beside it$/,
    ],
    [
      (m) => (m.shards[1].file = '../w.bin'),
      'invalid-bundle',
      /shards\[1\]\.file: .*a file beside the manifest/,
    ],
    [(m) => (m.shards[1].file = 'https://h.example/w.bin'), 'invalid-bundle', /shards\[1\]\.file/],
    [(m) => (m.shards[1].file = '//h.example/w.bin'), 'invalid-bundle', /shards\[1\]\.file/],
    [(m) => (m.tokenizer.file = '.vocabulary'), 'invalid-bundle', /tokenizer\.file/],
    [(m) => (m.runtime.file = 'js/runtime.js'), 'invalid-bundle', /runtime\.file: .*beside the manifest/],
    [
      (m) => (m.shards[0].file = 'w-0.bin'),
      'invalid-bundle',
      /shards\[0\]\.file: .*first 16 digits of sha256/,
    ],
    [(m) => (m.shards[0].bytes = 2 ** 25 + 1), 'invalid-bundle', /shards\[0\]\.bytes: .*to 33554432/],
    [(m) => (m.scheme = 'f32'), 'invalid-bundle', /: scheme: .*f16, q8, q4/],
    [(m) => (m.model.hidden_size = 2 ** 18 + 1), 'invalid-bundle', /model\.hidden_size: .*to 262144/],
    [(m) => (m.model.qk_rope_head_dim = 15), 'invalid-bundle', /model\.qk_rope_head_dim: .*an even number/],
    [(m) => (m.model.rms_norm_eps = 1e-46), 'invalid-bundle', /model\.rms_norm_eps: .*range of F32/],
    [(m) => (m.generation.temperature = -1), 'invalid-bundle', /generation\.temperature: .*at least 0/],
    [(m) => (m.generation.top_p = 1.5), 'invalid-bundle', /generation\.top_p: .*0 to 1/],
    [(m) => (m.generation.stop_token_ids = [2048]), 'invalid-bundle', /stop_token_ids\[0\]: .*0 to 2047/],
    [(m) => (m.selfTest.prompt = []), 'invalid-bundle', /selfTest\.prompt: .*at least one token/],
    [(m) => (m.selfTest.prompt[1] = 2048), 'invalid-bundle', /selfTest\.prompt\[1\]: .*0 to 2047/],
    [(m) => m.selfTest.likeliest.pop(), 'invalid-bundle', /selfTest\.likeliest: .*5 tokens, one per prefix/],
    [(m) => (m.selfTest.close = [5]), 'invalid-bundle', /selfTest\.close\[0\]: .*0 to 4/],
    [(m) => m.selfTest.logits.values.pop(), 'invalid-bundle', /logits\.values: .*3 values, one per token/],
    [(m) => (m.selfTest.logits.tolerance = 0), 'invalid-bundle', /logits\.tolerance: .*positive/],
    [(m) => (m.memory[0].bytes = 0), 'invalid-bundle', /memory\[0\]\.bytes: .*at least 1/],
    [
      (m) => (m.origin = { repository: 'a', revision: 'b' }),
      'invalid-bundle',
      /origin\.repository: .*org\/name/,
    ],
    [(m) => (m.tensors[2].scales = m.tensors[2].values), 'invalid-bundle', /scales: .*floats have no scales/],
    [(m) => (m.tensors[2].values[0].rows = 63), 'invalid-bundle', /rows: .*a multiple of 64/],
    [(m) => (m.shards[0].sha256 = 'abc'), 'invalid-bundle', /shards\[0\]\.sha256: .*64 hex digits/],
    [(m) => (m.tensors[2].values[0].shard = 6), 'invalid-bundle', /tensors\[2\]\.values\[0\]\.shard/],
    [(m) => (m.tensors[2].values[0].offset = 128), 'invalid-bundle', /offset: .*a multiple of 256/],
    [
      (m) => (m.tensors[2].values[0].offset = 256),
      'invalid-bundle',
      /values\[0\]\.offset: .*bytes inside the 65536/,
    ],
    [(m) => (m.tensors[2].rows = 65), 'invalid-bundle', /tensors\[2\]\.values: .*65 rows in all/],
    [(m) => (m.tensors[2].scheme = 'q3'), 'invalid-bundle', /scheme: .*f32, f16, q8, q4/],
    [(m) => delete m.model.rope_theta, 'invalid-bundle', /model\.rope_theta: missing/],
  ];
  const load = (more: LoadOptions = {}) =>
    loadModel(server.url, fakeEngines().create, { device: new FakeDevice().gpu, ...more });
  for (const [change, code, message] of cases) {
    const changed: Json = structuredClone(manifest);
    change(changed);
    writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(changed));
    await assert.rejects(load(), bundleError(code, message));
  }
  writeFileSync(path.join(folder, 'manifest.json'), '<html>');
  await assert.rejects(load(), bundleError('invalid-bundle', /^manifest\.json: /));
  await assert.rejects(
    load({ expectedManifestSha256: 'ab'.repeat(32) }),
    bundleError('invalid-bundle', /not the one that the page expects/),
  );
  rmSync(path.join(folder, 'manifest.json'));
  await assert.rejects(load(), bundleError('network', /^manifest\.json: the server answers 404/));
  assert.equal(server.shardRequests.length, 0);
});

test('a context has at most the positions that the model knows', async (t) => {
  const { load } = await setUp(t);
  assert.equal((await load({ contextLength: 12 })).contextLength, 12);
  assert.equal((await load({ contextLength: 5000 })).contextLength, 1024);
  await assert.rejects(load({ contextLength: 0 }), bundleError('usage', /a context of 0 tokens/));
});

// biome-ignore lint/suspicious/noExplicitAny: tests break manifests in all ways
type Json = any;

import assert from 'node:assert/strict';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { clearCache } from '../../src/webgpu/load/bundle-files.ts';
import { type LoadOptions, loadModel } from '../../src/webgpu/load/load.ts';
import { bundleError } from '../support/bundle-error.ts';
import { bundleBytes, writeFakeBundle } from '../support/fakes/fake-bundle.ts';
import { FakeCaches } from '../support/fakes/fake-caches.ts';
import { FakeDevice } from '../support/fakes/fake-device.ts';
import { fakeEngines } from '../support/fakes/fake-engine.ts';
import { FaultyServer } from '../support/fakes/faulty-server.ts';
import { setGlobal } from '../support/fakes/set-global.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Two bundles at one origin that share their vocabulary. */
async function setUp(t: TestContext) {
  const folder = temporaryFolder(t);
  const first = writeFakeBundle(path.join(folder, 'first'));
  const second = writeFakeBundle(path.join(folder, 'second'), { shards: 2, seed: 'other' });
  const server = await FaultyServer.start(t, folder);
  const caches = new FakeCaches();
  setGlobal(t, 'caches', caches);
  const { create, made } = fakeEngines();
  const load = (bundle: string, more: LoadOptions = {}) =>
    loadModel(server.url + bundle, create, { device: new FakeDevice().gpu, ...more });
  const has = ({ sha256 }: { sha256: string }) =>
    [...caches.entries.keys()].some((key) => key.endsWith(sha256));
  return { folder, first, second, server, caches, made, load, has };
}

test('a second visit fetches the manifest alone, and works without a network', async (t) => {
  const { folder, first, server, made, load } = await setUp(t);
  await load('first');
  server.clear();
  const model = await load('first/');
  assert.deepEqual(
    server.log.map(({ file }) => file),
    ['first/manifest.json'],
  );
  const { storage } = await model.stats();
  const total = [first.tokenizer, ...first.shards].reduce((sum, { bytes }) => sum + bytes, 0);
  assert.deepEqual(storage, { networkBytes: 0, cachedBytes: total, keptBytes: total });

  server.always.set('first/manifest.json', { status: 503 });
  await load('first/manifest.json');
  await server.close();
  await load('first');
  assert.deepEqual(made[3]!.shards.get(5), bundleBytes(path.join(folder, 'first'), first.shards[5]!));
});

test('what is damaged in the cache is dropped and fetched again', async (t) => {
  const { folder, first, server, caches, made, load } = await setUp(t);
  await load('first');
  const shard = first.shards[2]!;
  const [key] = [...caches.entries.keys()].filter((name) => name.endsWith(shard.sha256));
  for (const damage of [
    (bytes: Uint8Array<ArrayBuffer>) => bytes.with(99, bytes[99]! ^ 1),
    (bytes: Uint8Array<ArrayBuffer>) => bytes.slice(1),
  ]) {
    caches.entries.set(key!, damage(caches.entries.get(key!)!));
    server.clear();
    await load('first');
    assert.deepEqual(
      server.shardRequests.map(({ file }) => file),
      [`first/${shard.file}`],
    );
    assert.deepEqual(made.at(-1)!.shards.get(2), bundleBytes(path.join(folder, 'first'), shard));
    assert.deepEqual(caches.entries.get(key!), bundleBytes(path.join(folder, 'first'), shard));
  }
});

test('a load that fails keeps what had come: the next one fetches the rest', async (t) => {
  const { first, server, load } = await setUp(t);
  server.always.set(`first/${first.shards.at(-1)!.file}`, { status: 404 });
  await assert.rejects(load('first'), bundleError('network', /404/));
  server.always.clear();
  server.clear();
  await load('first');
  // The last one, and the two that were under way beside it.
  assert.ok(server.shardRequests.length <= 3, `${server.shardRequests.length}`);
});

test('without room, or without a cache, weights go from memory to the GPU, and stats say so', async (t) => {
  const { first, server, caches, load } = await setUp(t);
  caches.quota = 250_000;
  const full = (await (await load('first')).stats()).storage;
  assert.match(full.note!, /allows this site no more storage/);
  assert.ok(full.keptBytes > 0 && full.keptBytes < 250_000);
  server.clear();
  await load('first');
  assert.ok(server.shardRequests.length < first.shards.length, 'what is kept is used');

  const off = (await (await load('first', { cache: false })).stats()).storage;
  assert.deepEqual([off.keptBytes, off.note], [0, 'nothing is kept: the cache is switched off']);
  setGlobal(t, 'caches', undefined);
  assert.match((await (await load('first')).stats()).storage.note!, /offers no cache/);
});

test('clearCache removes one bundle; others, and what they share, stay', async (t) => {
  const { first, second, server, caches, load, has } = await setUp(t);
  await load('first');
  await load('second');
  await clearCache(`${server.url}first`);
  assert.ok(!first.shards.some(has));
  assert.ok(second.shards.every(has) && has(second.tokenizer));
  assert.deepEqual(
    [...caches.entries.keys()].filter((key) => key.endsWith('.json')),
    [`${server.url}second/manifest.json`],
  );
  await clearCache(`${server.url}second`);
  assert.equal(caches.entries.size, 0);
  await clearCache(`${server.url}second`);
});

test('a new version at the same address replaces the old one', async (t) => {
  const { folder, first, second, load, has } = await setUp(t);
  await load('first');
  await load('second');
  const next = writeFakeBundle(path.join(folder, 'first'), { shards: 3, seed: 'retrained' });
  await load('first');
  assert.ok(!first.shards.some(has));
  assert.ok([...next.shards, ...second.shards].every(has));
});

test('a cache that cannot be read, or takes not even the manifest, is done without', async (t) => {
  const { first, server, caches, load } = await setUp(t);
  await load('first');
  caches.broken = true;
  server.clear();
  await load('first');
  assert.equal(server.shardRequests.length, first.shards.length);
  caches.entries.clear();
  caches.quota = 0;
  const { keptBytes, note } = (await (await load('first')).stats()).storage;
  assert.deepEqual([keptBytes, note], [0, 'not all is kept: the browser allows this site no more storage']);
});

test('the manifest of another version keeps nothing from being dropped', async (t) => {
  const { first, server, caches, load, has } = await setUp(t);
  await load('first');
  caches.entries.set(`${server.url}third/manifest.json`, new TextEncoder().encode('{"version": 2}'));
  await clearCache(`${server.url}first`);
  assert.ok(!first.shards.some(has));
});

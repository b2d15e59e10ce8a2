import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { closeModel } from '../../../src/core/model.ts';
import { openEngine } from '../../../src/pipeline/engines/index.ts';
import { openSource } from '../../../src/pipeline/sources/open.ts';
import { verify } from '../../../src/pipeline/verify.ts';
import { PlmRuntime } from '../../../src/runtime/plm-runtime.ts';
import { memoryModel } from '../../support/builders/memory-model.ts';
import { ODD_PLM } from '../../support/builders/odd-plm.ts';
import { correlatedStatistics } from '../../support/builders/statistics.ts';
import { openUntilEnd, readManifest, writeBundle } from '../../support/builders/webgpu-bundle.ts';
import {
  changeDevices,
  NO_DAWN,
  shareDevice,
  useSoftwareGpu,
  withMembers,
} from '../../support/drivers/dawn.ts';
import { sha256 } from '../../support/oracles/digests.ts';
import { fixture } from '../../support/paths.ts';
import { pressFailure } from '../../support/press-failure.ts';

const EVAL_TEXT = readFileSync(fixture('text', 'eval.txt'), 'utf8');

describe('plm-tiny in bundles: mean KLD, and the schemes that tensors are judged by', () => {
  // Measured over 1,024 tokens, and up to a quarter more.
  for (const [scheme, maxKld, stored] of [
    ['q4', 0.021, 'Q4_0'],
    ['q8', 9e-5, 'Q8_0'],
    ['f16', 1e-11, 'F16'],
  ] as const) {
    it(scheme, async (t) => {
      const source = await openSource(fixture('plm-tiny'));
      t.after(() => closeModel(source));
      const bundle = await openUntilEnd(t, await writeBundle(t, source, scheme));
      const options = { texts: [EVAL_TEXT], maxTokens: 1024 };
      const { failures, kld, tensors } = await verify(source, bundle, options);
      assert.deepEqual(failures, []);
      assert.ok(kld.mean < maxKld, `${kld.mean}`);
      const downProj = tensors.find(({ name }) => name.endsWith('0.mlp.down_proj.weight'));
      assert.equal(downProj?.scheme, stored);
    });
  }
});

it('the self-test is what the runtime computes of the bundle', async (t) => {
  const source = memoryModel(ODD_PLM);
  const bundle = await openUntilEnd(t, await writeBundle(t, source, 'q4'));
  const { prompt, likeliest, close, logits } = bundle.manifest.selfTest;
  const runtime = await PlmRuntime.open(bundle, { contextLength: prompt.length, threads: 1 });
  t.after(() => runtime.close());
  const rows: Float32Array[] = [];
  for await (const row of runtime.logits(prompt)) rows.push(row.slice());
  assert.deepEqual(
    likeliest,
    rows.map((row) => row.indexOf(Math.max(...row))),
  );
  const last = rows.at(-1)!;
  assert.deepEqual(
    logits.values,
    logits.ids.map((id) => Number(last[id]!.toPrecision(7))),
  );
  assert.ok(logits.ids.includes(likeliest.at(-1)!));
  const rms = (row: Float32Array) => Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / row.length);
  assert.equal(logits.rms, Number(rms(last).toPrecision(7)));
  assert.equal(logits.tolerance, Number((rms(last) / 50).toPrecision(7)));
  const leads = rows.map((row) => {
    const [first, second] = row.toSorted((a, b) => b - a);
    return (first! - second!) / rms(row);
  });
  assert.deepEqual(
    close,
    [...leads.keys()].filter((index) => leads[index]! < 0.04),
  );
});

it('rows that are no whole blocks are judged by what they are stored in', async (t) => {
  const source = memoryModel(ODD_PLM);
  for (const scheme of ['q4', 'q8', 'f16']) {
    const bundle = await openUntilEnd(t, await writeBundle(t, source, scheme, { shardSize: 40_000 }));
    assert.deepEqual((await verify(source, bundle, { maxTokens: 32 })).failures, []);
  }
});

it('--quality best leaves out the columns that pad rows', async (t) => {
  const config = { ...ODD_PLM, qLoraRank: undefined, tieWordEmbeddings: true };
  const source = { ...memoryModel(config), statistics: correlatedStatistics(config) };
  const bundle = await openUntilEnd(t, await writeBundle(t, source, 'q4', { quality: 'best' }));
  assert.equal(bundle.manifest.quality, 'best');
  assert.deepEqual((await verify(source, bundle, { maxTokens: 32 })).failures, []);
});

it('a damaged block that all hashes agree with is found', async (t) => {
  const source = memoryModel(ODD_PLM);
  const folder = await writeBundle(t, source, 'q8');
  const manifest = readManifest(folder);
  const [shard] = manifest.shards as [(typeof manifest.shards)[number]];
  const entry = manifest.tensors.find(({ layout }) => layout === 'neurons')!;
  const bytes = readFileSync(path.join(folder, shard.file));
  bytes.fill(127, entry.values[0]!.offset, entry.values[0]!.offset + 32);
  const damaged = path.join(folder, 'damaged');
  writeFileSync(damaged, bytes);
  const digest = sha256(damaged);
  const file = `w-${digest.slice(0, 16)}.bin`;
  writeFileSync(path.join(folder, file), bytes);
  const changed = { ...manifest, shards: [{ ...shard, file, sha256: digest }] };
  writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(changed));
  const { failures } = await verify(source, await openUntilEnd(t, folder), { maxTokens: 32 });
  assert.ok(failures.some((failure) => /: model\.layers\.0\.mlp\.down_proj\.weight: .*Q8_0/.test(failure)));
});

describe('the engine webgpu', { skip: NO_DAWN }, () => {
  before(useSoftwareGpu);
  before(shareDevice);
  const source = memoryModel(ODD_PLM);

  it('computes what the source does', async (t) => {
    const bundle = await openUntilEnd(t, await writeBundle(t, source, 'f16'));
    const { failures, engine } = await verify(source, bundle, { maxTokens: 32, engine: 'webgpu' });
    assert.deepEqual(failures, []);
    assert.equal(engine.name, 'webgpu');
    assert.ok(engine.tokensPerSecond! > 0);
  });

  it('says why a bundle does not run', async (t) => {
    const folder = await writeBundle(t, source, 'q8');
    const [shard] = readManifest(folder).shards;
    const bytes = readFileSync(path.join(folder, shard!.file));
    bytes[0]! ^= 1;
    writeFileSync(path.join(folder, shard!.file), bytes);
    const bundle = await openUntilEnd(t, folder);
    const open = (contextLength: number) =>
      openEngine(bundle, 'webgpu', [Array<number>(contextLength).fill(0)]);
    await assert.rejects(
      open(ODD_PLM.maxPositionEmbeddings + 1),
      pressFailure('unsupported', /^a context of \d+ tokens; expected 1 to \d+$/),
    );
    await assert.rejects(open(8), pressFailure('verification', /SHA-256/));
    changeDevices(t, (device) =>
      withMembers(device, { popErrorScope: async () => ({ message: 'none is left' }) }),
    );
    await assert.rejects(open(8), pressFailure('local-io', /^the GPU has too little memory: none is left$/));
  });
});

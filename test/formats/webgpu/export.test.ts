import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { readAssets } from '../../../formats/webgpu/assets.ts';
import { requirementsOf } from '../../../formats/webgpu/requirements.ts';
import { plannedBytes } from '../../../src/core/export-plan.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { elementCount } from '../../../src/core/tensor.ts';
import { openCompute } from '../../../src/kernels/compute.ts';
import { planTarget } from '../../../src/pipeline/planning/target.ts';
import { transcode } from '../../../src/pipeline/writing/transcode.ts';
import { SLOTS, slotBytes } from '../../../src/pipeline/writing/working-memory.ts';
import { hollowModel, PLM_1_8B, SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { memoryModel, memoryTensor, tensorValues, withTensors } from '../../support/builders/memory-model.ts';
import { ODD_PLM } from '../../support/builders/odd-plm.ts';
import { readManifest, writeBundle } from '../../support/builders/webgpu-bundle.ts';
import { setBuiltin } from '../../support/fakes/set-builtin.ts';
import { digestsOf } from '../../support/oracles/digests.ts';
import { pressFailure } from '../../support/press-failure.ts';

const MIB = 2 ** 20;

describe('PLM-1.8B plans without a read', () => {
  // Bits a weight of the matrices, and bytes of norms.
  for (const [scheme, bits] of [
    ['q4', 4.5],
    ['q8', 8.5],
    ['f16', 16],
  ] as const) {
    it(scheme, async () => {
      const { plan } = await planTarget(hollowModel(PLM_1_8B), `webgpu:${scheme}`);
      const shards = plan.files.filter(({ nameOf }) => nameOf !== undefined);
      const weights = plmTensors(PLM_1_8B).reduce(
        (sum, slot) => sum + (elementCount(slot) * (slot.shape.length === 1 ? 32 : bits)) / 8,
        0,
      );
      const tensors = shards.flatMap((shard) => shard.tensors);
      assert.equal(
        tensors.reduce((sum, tensor) => sum + plannedBytes(tensor), 0),
        weights,
      );
      assert.ok(shards.every(({ bytes }) => bytes <= 32 * MIB));
      assert.ok(shards.slice(0, -1).every(({ bytes }) => bytes >= 16 * MIB));
      const bytes = shards.reduce((sum, shard) => sum + shard.bytes, 0);
      assert.ok(bytes - weights < 300 * 512, `${bytes - weights} bytes of padding`);
      assert.equal(plan.files[0]!.name, `webgpu-${scheme}/manifest.json`);
      assert.ok(plan.files[0]!.makingBytes! < 200e6);
    });
  }
});

it('the same bytes on one thread and on two, in small chunks and in large ones', async (t) => {
  const model = memoryModel(ODD_PLM);
  const options = { shardSize: 20_000 };
  const folders = [
    await writeBundle(t, model, 'q4', { ...options, threads: 1 }),
    await writeBundle(t, model, 'q4', { ...options, threads: 2 }),
  ];
  const [one, two] = folders.map(digestsOf);
  assert.deepEqual(two, one);

  const { plan } = await planTarget(model, 'webgpu:q4', options);
  const shards = plan.files.filter(({ nameOf }) => nameOf !== undefined);
  const written = shards.map(({ bytes }) => Buffer.alloc(bytes));
  const transfers = shards.flatMap(({ tensors }, shard) =>
    tensors.map((tensor) => ({
      tensor,
      write: async (bytes: Uint8Array, offset: number) => written[shard]!.set(bytes, offset),
    })),
  );
  const tensors = shards.flatMap((shard) => shard.tensors);
  const smallest = Math.max(...tensors.map((tensor) => leastSlot(tensor)));
  const compute = await openCompute({ threads: 1, bytes: SLOTS * smallest });
  try {
    await transcode(transfers, { compute, slotBytes: smallest, files: [] });
  } finally {
    await compute.close();
  }
  const names = readManifest(folders[0]!).shards.map(({ file }) => file);
  for (const [index, name] of names.entries()) {
    assert.deepEqual(written[index], readFileSync(path.join(folders[0]!, name)), name);
  }
});

/** The slot of a row step. */
function leastSlot(tensor: Parameters<typeof slotBytes>[0][number]): number {
  const base = { resident: 0, threads: 1 };
  const growth = 48 * MIB;
  return slotBytes([tensor], { ...base, maxMemory: growth + 3 * 2 ** 16 });
}

describe('manifest.json', () => {
  it('tells what a page must know', async (t) => {
    const model = memoryModel(SMALL_PLM);
    const folder = await writeBundle(t, model, 'q4', { passes: [{ name: 'fold-norms', options: {} }] });
    const manifest = readManifest(folder);
    assert.deepEqual(
      [manifest.schema, manifest.version, manifest.scheme],
      ['plmpress-webgpu-bundle', 1, 'q4'],
    );
    assert.deepEqual(manifest.passes, ['fold-norms']);
    assert.deepEqual(manifest.generation, { stop_token_ids: [258, 259] });
    assert.equal(manifest.chat, undefined);
    const latent = (256 + 16) * 2 * 2;
    const [first, ...more] = manifest.memory;
    assert.deepEqual(
      more.map(({ context, bytes }) => [context, bytes]),
      [1024, 4096].map((context) => [context, first!.bytes + (context - first!.context) * latent]),
    );
    assert.equal(manifest.requirements.limits.maxStorageBufferBindingSize, (512 * 256) / 2);
    assert.equal(manifest.selfTest.likeliest.length, manifest.selfTest.prompt.length);
    assert.equal(manifest.selfTest.prompt.length, 12);
  });

  it('asks for no binding above 128 MiB', () => {
    const planes = (rows: number) => [{ scheme: 'q4', rows, columns: 2048 } as const];
    const bindingOf = (rows: number) => requirementsOf(planes(rows)).limits.maxStorageBufferBindingSize;
    assert.equal(bindingOf(8192), 8 * MIB);
    assert.equal(bindingOf(151_936), 128 * MIB);
  });

  it('has firing rates by neuron where statistics tell', async (t) => {
    const neurons = ODD_PLM.intermediateSizes.map((width) => ({
      firings: Float32Array.from({ length: width }, (_, i) => i),
      means: new Float32Array(width),
      meanSquares: new Float32Array(width),
      fired: new Uint16Array(64 * width),
      outputSquares: new Float32Array(ODD_PLM.hiddenSize),
    }));
    const statistics = {
      name: 'stats.gguf',
      sha256: '',
      tokens: 200,
      inputs: new Map(),
      widths: ODD_PLM.intermediateSizes,
      neurons: () => neurons,
    };
    const folder = await writeBundle(t, { ...memoryModel(ODD_PLM), statistics }, 'q8');
    const { firing } = readManifest(folder);
    assert.deepEqual(
      firing?.map(({ length }) => length),
      ODD_PLM.intermediateSizes,
    );
    assert.equal(firing?.[0]?.[3], 0.015);
  });
});

it('a package that lacks files of its own is told of', async (t) => {
  setBuiltin(t, fs, 'readFile', () => Promise.reject<never>(Object.assign(new Error(), { code: 'ENOENT' })));
  await assert.rejects(
    readAssets(),
    pressFailure('local-io', /^runtime\.js: no such file or folder \(ENOENT\)$/),
  );
});

describe('exceptions to the scheme', () => {
  it('go by names of GGUF and of checkpoints', async (t) => {
    const folder = await writeBundle(t, memoryModel(SMALL_PLM), 'q4', {
      tokenEmbedding: 'Q8_0',
      tensorTypes: [
        { pattern: 'attn_kv_b', scheme: 'F16' },
        { pattern: 'layers.1.mlp.down_proj', scheme: 'Q8_0' },
      ],
    });
    const schemes = new Map(readManifest(folder).tensors.map(({ name, scheme }) => [name, scheme]));
    assert.equal(schemes.get('model.embed_tokens.weight'), 'q8');
    assert.equal(schemes.get('model.layers.0.self_attn.kv_b_proj.weight'), 'f16');
    assert.equal(schemes.get('model.layers.0.mlp.down_proj.weight'), 'q4');
    assert.equal(schemes.get('model.layers.1.mlp.down_proj.weight'), 'q8');
    assert.equal(schemes.get('model.norm.weight'), 'f32');
  });

  it('are none of other schemes, nor patterns that are none', async () => {
    await assert.rejects(
      planTarget(hollowModel(SMALL_PLM), 'webgpu:q4', { tokenEmbedding: 'Q6_K' }),
      pressFailure('usage', /cannot store a matrix as Q6_K, expected q4, q8 or f16/),
    );
    await assert.rejects(
      planTarget(hollowModel(SMALL_PLM), 'webgpu:q4', { tensorTypes: [{ pattern: '(', scheme: 'Q8_0' }] }),
      pressFailure('usage', /^"\(" is not a regular expression: missing closing \)/),
    );
  });
});

describe('what a bundle does not take', () => {
  it('kv_b_proj in other forms', async () => {
    for (const [kvBForm, expected] of [
      ['split', 'the pass join-kv-b first'],
      ['premultiplied', 'a source without absorb-mla'],
    ] as const) {
      const model = hollowModel({ ...SMALL_PLM, kvBForm });
      const what = `stores kv_b_proj as checkpoints do, but this model is ${kvBForm}, expected ${expected}`;
      await assert.rejects(
        planTarget(model, 'webgpu:q4', { withoutPasses: ['join-kv-b'] }),
        pressFailure('unsupported', new RegExp(what)),
      );
    }
  });

  it('blocks that would be rounded again', async () => {
    const q4 = hollowModel(SMALL_PLM, {}, 'Q4_0');
    await assert.rejects(
      planTarget(q4, 'webgpu:q4'),
      pressFailure(
        'unsupported',
        /down_proj\.weight": requantizing from Q4_0 to Q4_0 by neurons adds a second error/,
      ),
    );
    await planTarget(q4, 'webgpu:q4', { allowRequantize: true });
  });

  it('weights that are not finite, at their places in the source', async (t) => {
    const name = 'model.layers.0.mlp.down_proj.weight';
    const model = memoryModel(ODD_PLM);
    const values = await tensorValues(model.tensors.get(name)!);
    values[5 * 113 + 70] = Number.NaN;
    const broken = withTensors(model, memoryTensor(name, [89, 113], values));
    await assert.rejects(
      writeBundle(t, broken, 'q4'),
      pressFailure('invalid-input', /down_proj\.weight": weight \[5, 70\] is not finite/),
    );
  });

  it('files that hold no rows', async () => {
    await assert.rejects(
      planTarget(hollowModel(SMALL_PLM), 'webgpu:f16', { shardSize: 10_000 }),
      pressFailure(
        'usage',
        /files of 10000 bytes are too small for a row of model.embed_tokens.weight, expected at least 33024/,
      ),
    );
  });
});

it('a folder holds the manifest, the vocabulary, the runtime and the weights', async (t) => {
  const folder = await writeBundle(t, memoryModel(ODD_PLM), 'f16');
  const names = readdirSync(folder);
  for (const name of ['manifest.json', 'vocabulary.json', 'runtime.js']) assert.ok(names.includes(name));
  assert.match(readFileSync(path.join(folder, 'runtime.js'), 'utf8'), /plmpress-webgpu-bundle/);
});

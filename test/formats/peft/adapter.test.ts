import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openAdapter } from '../../../formats/peft/adapter.ts';
import type { PlmConfig } from '../../../src/core/config.ts';
import { closeModel } from '../../../src/core/model.ts';
import { mergeLora } from '../../../src/passes/merge-lora.ts';
import { withSource } from '../../../src/pipeline/open.ts';
import { PlmRuntime } from '../../../src/runtime/plm-runtime.ts';
import { type AdapterTensor, adapterPair, writeAdapter } from '../../support/adapter-files.ts';
import { SMALL_PLM } from '../../support/hollow-model.ts';
import { memoryModel } from '../../support/memory-model.ts';
import { fixture } from '../../support/paths.ts';
import { oracleLogits } from '../../support/plm-oracle.ts';
import { assertRejects, type Rejection } from '../../support/rejects.ts';
import { runCli } from '../../support/run-cli.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const CONFIG: PlmConfig = {
  ...SMALL_PLM,
  vocabSize: 64,
  hiddenSize: 32,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  intermediateSizes: [48],
  kvLoraRank: 32,
  qkNopeHeadDim: 8,
  qkRopeHeadDim: 4,
  vHeadDim: 8,
  maxPositionEmbeddings: 16,
};
const Q = 'model.layers.0.self_attn.q_proj';
const DOWN = 'model.layers.0.mlp.down_proj';
const PAIRS = [...adapterPair(Q, [24, 32], 4, 1), ...adapterPair(DOWN, [32, 48], 4, 2)];
const IDS = [1, 50, 3, 20, 7];

const folderOf = (t: TestContext) => path.join(temporaryFolder(t), 'adapter');

/** scale * B (A x), in f64. */
function lowRank(pairs: readonly AdapterTensor[], module: string, x: readonly number[], scale: number) {
  const [a, b] = ['A', 'B'].map((half) => pairs.find(({ name }) => name.includes(`${module}.lora_${half}`))!);
  const rank = a!.shape[0]!;
  const hidden = Array.from({ length: rank }, (_, k) =>
    x.reduce((sum, value, c) => sum + value * a!.values[k * x.length + c]!, 0),
  );
  return Array.from(
    { length: b!.shape[0]! },
    (_, r) => scale * hidden.reduce((sum, value, k) => sum + value * b!.values[r * rank + k]!, 0),
  );
}

describe('a merged adapter computes what it adds at run time', () => {
  for (const [name, changes, scale] of [
    ['alpha / r', {}, 6 / 4],
    ['alpha / sqrt(r) with use_rslora', { use_rslora: true }, 6 / 2],
  ] as const) {
    it(name, async (t) => {
      const folder = folderOf(t);
      writeAdapter(folder, PAIRS, changes);
      const model = memoryModel(CONFIG);
      const expected = await oracleLogits(model, IDS, {
        added: (matrix, x) => {
          const module = [Q, DOWN].find((target) => `${target}.weight` === matrix);
          return module === undefined ? undefined : lowRank(PAIRS, module, x, scale);
        },
      });
      const merged = mergeLora(model, await openAdapter(folder));
      t.after(() => closeModel(merged));
      assert.deepEqual(
        merged.changes.map(({ subject, to }) => [subject, to]),
        [Q, DOWN].toSorted().map((module) => [`${module}.weight`, `W + ${scale} B A, rank 4`]),
      );
      const runtime = await PlmRuntime.open(merged, { contextLength: 16, threads: 1 });
      t.after(() => runtime.close());
      let position = 0;
      for await (const row of runtime.logits(IDS)) {
        const error = row.reduce((max, v, id) => Math.max(max, Math.abs(v - expected[position]![id]!)), 0);
        assert.ok(error < 1e-4, `position ${position}: ${error}`);
        position++;
      }
    });
  }
});

describe('convert and verify take --adapter', () => {
  it('and the artifact is that of the merged model', async (t) => {
    const folder = temporaryFolder(t);
    writeAdapter(
      path.join(folder, 'adapter'),
      adapterPair('model.layers.1.mlp.up_proj', [1024, 256]).map((tensor) => ({
        ...tensor,
        values: tensor.values.map((value) => value / 10),
      })),
    );
    const tiny = fixture('plm-tiny');
    const output = path.join(folder, 'out');
    const adapter = ['--adapter', path.join(folder, 'adapter')];
    const converted = await runCli(['convert', tiny, '--to', 'gguf:f32', '-o', output, ...adapter, '--json']);
    assert.equal(converted.code, 0, converted.stderr);
    const [artifact] = JSON.parse(converted.stdout).artifacts;
    assert.deepEqual(artifact.changes[0].reason, 'adapter adapter');
    assert.ok(
      artifact.source.files.some(({ name }: { name: string }) => name === 'adapter_model.safetensors'),
    );
    const verify = ['verify', output, '--against', tiny, '--tokens', '32', '--quiet'];
    assert.equal((await runCli([...verify, ...adapter])).code, 0);
    assert.equal((await runCli(verify)).code, 6, 'without the adapter it is another model');
  });

  it('and leave nothing open where one of several is missing', async (t) => {
    const folder = temporaryFolder(t);
    const [there, missing] = ['adapter', 'missing'].map((name) => path.join(folder, name));
    writeAdapter(there!, adapterPair('model.layers.1.mlp.up_proj', [1024, 256]));
    const open = () => withSource(fixture('plm-tiny'), async () => {}, { adapters: [there!, missing!] });
    await assertRejects(folder, open, { message: /missing: missing \(ENOENT\)$/ });
  });
});

describe('refuses', () => {
  const cases: readonly (readonly [name: string, write: (folder: string) => void, expected: Rejection])[] = [
    [
      'r missing',
      (f) => writeAdapter(f, PAIRS, { r: undefined }),
      { message: /adapter_config\.json: r: missing/ },
    ],
    ['r = 0', (f) => writeAdapter(f, PAIRS, { r: 0 }), { message: /r: wrong value, got 0/ }],
    ['r = "8"', (f) => writeAdapter(f, PAIRS, { r: '8' }), { message: /r: wrong value, got "8"/ }],
    [
      'another rank',
      (f) => writeAdapter(f, PAIRS, { r: 8 }),
      { message: /lora_A\.weight": shape: .*8 as dimension 0/ },
    ],
    [
      'another kind',
      (f) => writeAdapter(f, PAIRS, { peft_type: 'IA3' }),
      { message: /peft_type: not supported, got "IA3"/, failure: 'unsupported' },
    ],
    ...(
      [
        ['use_dora', true],
        ['modules_to_save', ['lm_head']],
        ['bias', 'all'],
        ['rank_pattern', { q_proj: 8 }],
      ] as const
    ).map(
      ([key, value]) =>
        [
          key,
          (f: string) => writeAdapter(f, PAIRS, { [key]: value }),
          { message: new RegExp(`${key}: not supported`), failure: 'unsupported' },
        ] as const,
    ),
    [
      'half an adapter',
      (f) => writeAdapter(f, PAIRS.slice(1)),
      { message: /adapter of model\.layers\.0\.self_attn\.q_proj\.weight: lora_A is missing/ },
    ],
    ['nothing', (f) => writeAdapter(f, []), { message: /holds no adapter/ }],
    [
      'a tensor of another kind',
      (f) =>
        writeAdapter(f, [
          ...PAIRS,
          { name: 'base_model.model.x.lora_embedding_A', shape: [1], values: new Float32Array(1) },
        ]),
      { message: /no part of a plain LoRA/, failure: 'unsupported' },
    ],
    [
      'integers',
      (f) => {
        writeAdapter(f, PAIRS);
        const file = path.join(f, 'adapter_model.safetensors');
        writeFileSync(file, readFileSync(file, 'latin1').replace('"F32"', '"I32"'), 'latin1');
      },
      { message: /lora_A\.weight": dtype: not supported, got "I32"$/, failure: 'unsupported' },
    ],
    [
      'a pickle',
      (f) => {
        writeAdapter(f, PAIRS);
        renameSync(path.join(f, 'adapter_model.safetensors'), path.join(f, 'adapter_model.bin'));
      },
      { message: /adapter_model\.bin: pickle weights are not read/ },
    ],
    [
      'a file cut short',
      (f) => {
        writeAdapter(f, PAIRS);
        writeFileSync(path.join(f, 'adapter_model.safetensors'), 'short');
      },
      { message: /adapter_model\.safetensors: / },
    ],
  ];
  for (const [name, write, expected] of cases) {
    it(name, async (t) => {
      const folder = folderOf(t);
      write(folder);
      await assertRejects(folder, () => openAdapter(folder), expected);
    });
  }

  it('targets that the model lacks or that have another shape', async (t) => {
    const folder = folderOf(t);
    const merge = async (tensors: readonly AdapterTensor[]) => {
      writeAdapter(folder, tensors);
      const adapter = await openAdapter(folder);
      try {
        mergeLora(memoryModel(CONFIG), adapter);
      } finally {
        await closeModel(adapter);
      }
    };
    await assert.rejects(merge(adapterPair('model.layers.9.mlp.up_proj', [48, 32])), {
      failure: 'unsupported',
      message: /adapter of model\.layers\.9\.mlp\.up_proj\.weight: the model has no such matrix/,
    });
    await assert.rejects(merge(adapterPair(Q, [24, 31])), {
      failure: 'invalid-input',
      message: /shape of B A, got \[24,31\], expected \[24, 32\]/,
    });
  });
});

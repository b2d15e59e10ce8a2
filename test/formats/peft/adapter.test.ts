import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openAdapter } from '../../../formats/peft/adapter.ts';
import type { PlmConfig } from '../../../src/core/config.ts';
import { closeModel } from '../../../src/core/model.ts';
import { mergeLora } from '../../../src/passes/merge-lora.ts';
import { readFloats } from '../../../src/passes/rows/float-rows.ts';
import { withSource } from '../../../src/pipeline/sources/open.ts';
import { PlmRuntime } from '../../../src/runtime/plm-runtime.ts';
import { type AdapterTensor, adapterPair, writeAdapter } from '../../support/builders/adapter-files.ts';
import { SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { memoryModel } from '../../support/builders/memory-model.ts';
import { runCli } from '../../support/drivers/run-cli.ts';
import { HubServer } from '../../support/fakes/hub-server.ts';
import { changeHandles } from '../../support/file-handles.ts';
import { oracleLogits } from '../../support/oracles/plm-oracle.ts';
import { fixture } from '../../support/paths.ts';
import { assertRejects, type Rejection } from '../../support/rejects.ts';
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
/** Options of PEFT 0.19, as they are written where nobody has set them. */
const UNSET = {
  alora_invocation_tokens: null,
  arrow_config: null,
  auto_mapping: null,
  corda_config: null,
  ensure_weight_tying: false,
  eva_config: null,
  exclude_modules: null,
  inference_mode: true,
  kasa_config: null,
  layer_replication: null,
  layers_pattern: null,
  layers_to_transform: null,
  loftq_config: {},
  lora_bias: false,
  lora_dropout: 0.05,
  megatron_config: null,
  megatron_core: 'megatron.core',
  peft_version: '0.19.1',
  qalora_group_size: 16,
  revision: null,
  target_parameters: null,
  task_type: 'CAUSAL_LM',
  trainable_token_indices: null,
  use_bdlora: null,
  use_qalora: false,
  something_newer: null,
};
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

/** Rows of W + scale B A in f64, scaled to `lengths` where there are any. */
function mergedRows(
  matrix: readonly number[],
  [rows, columns]: readonly [number, number],
  pairs: readonly AdapterTensor[],
  scale: number,
  lengths?: Float32Array,
): number[] {
  const [a, b] = pairs as [AdapterTensor, AdapterTensor];
  const rank = a.shape[0]!;
  return Array.from({ length: rows }, (_, r) => {
    const row = Array.from({ length: columns }, (_, c) => {
      let sum = matrix[r * columns + c]!;
      for (let k = 0; k < rank; k++) sum += scale * b.values[r * rank + k]! * a.values[k * columns + c]!;
      return sum;
    });
    const stretch = lengths === undefined ? 1 : lengths[r]! / Math.hypot(...row);
    return row.map((value) => stretch * value);
  }).flat();
}

describe('what is merged is what PEFT computes', () => {
  const [rows, columns] = [24, 32];
  const lengths = Float32Array.from({ length: rows }, (_, r) => 0.5 + r / 8);
  const plain = adapterPair(Q, [rows, columns], 4, 1);
  const wide = adapterPair(Q, [rows, columns], 6, 1);
  // F16 and BF16 hold them.
  const sixteenths = plain.map((tensor, i) => ({
    ...tensor,
    values: tensor.values.map((value) => Math.round(16 * value) / 16),
    dtype: (['BF16', 'F16'] as const)[i]!,
  }));
  const rename = (tensors: readonly AdapterTensor[], change: (name: string) => string) =>
    tensors.map((tensor) => ({ ...tensor, name: change(tensor.name) }));
  const magnitude = (suffix: string) => ({
    name: `base_model.model.${Q}.lora_magnitude_vector${suffix}`,
    shape: [rows],
    values: lengths,
  });
  const cases: readonly (readonly [
    name: string,
    tensors: readonly AdapterTensor[],
    config: Readonly<Record<string, unknown>>,
    scale: number,
    lengths?: Float32Array,
  ])[] = [
    ...['gaussian', 'eva', 'orthogonal', 'mica', true, false].map(
      (init) => [`init_lora_weights ${init}`, plain, { init_lora_weights: init }, 6 / 4] as const,
    ),
    ['DoRA', [...plain, magnitude('')], { use_dora: true }, 6 / 4, lengths],
    ['DoRA of a dump', [...plain, magnitude('.default.weight')], { use_dora: true }, 6 / 4, lengths],
    ['names of a dump', rename(plain, (name) => name.replace('.weight', '.default.weight')), {}, 6 / 4],
    ['names without model.', rename(plain, (name) => name.replace('model.layers', 'layers')), {}, 6 / 4],
    [
      'state of the training',
      [
        ...plain,
        { name: `base_model.model.${Q}.lora_velora_embed`, shape: [1], values: new Float32Array(1) },
      ],
      { velora_config: { num_groups: 64 } },
      6 / 4,
    ],
    ['rank_pattern by the end of a name', wide, { rank_pattern: { q_proj: 6 } }, 6 / 6],
    [
      'rank_pattern by a whole name',
      wide,
      { rank_pattern: { [`^${Q}`]: 6 }, use_rslora: true },
      6 / Math.sqrt(6),
    ],
    ['rank_pattern with escapes', wide, { rank_pattern: { 'self_attn\\.q_proj': 6 } }, 6 / 6],
    [
      'alpha_pattern, of which the first that fits counts',
      plain,
      { alpha_pattern: { 'attn.q_proj': 1, 'self.attn.q_proj': 3, q_proj: 5 } },
      3 / 4,
    ],
    [
      'alpha_pattern for others',
      plain,
      { alpha_pattern: { proj: 1, '^q_proj': 2, 'x.model.layers.0.self_attn.q_proj': 3 } },
      6 / 4,
    ],
    ['halves in other types', sixteenths, {}, 6 / 4],
    ['lora_alpha left out', plain, { lora_alpha: undefined }, 8 / 4],
    ['fields of which PEFT writes that nothing is set', plain, UNSET, 6 / 4],
  ];
  for (const [name, tensors, config, scale, wanted] of cases) {
    it(name, async (t) => {
      const folder = folderOf(t);
      writeAdapter(folder, tensors, config);
      const model = memoryModel(CONFIG);
      const merged = mergeLora(model, await openAdapter(folder));
      t.after(() => closeModel(merged));
      const matrix = `${Q}.weight`;
      const found = await readFloats(merged.tensors.get(matrix)!);
      const source = await readFloats(model.tensors.get(matrix)!);
      const expected = mergedRows([...source], [rows, columns], tensors, scale, wanted);
      expected.forEach((value, i) => {
        assert.ok(Math.abs(value - found[i]!) <= 1e-6 * Math.max(1, Math.abs(value)), `${i}: ${found[i]}`);
      });
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

  const near: readonly (readonly [name: string, content: string | undefined, expected: Rejection])[] = [
    [
      'missing/folder/',
      undefined,
      { message: /missing\/folder\/: no such file or folder$/, failure: 'local-io' },
    ],
    [
      'lora.gguf',
      'GGUF',
      { message: /lora\.gguf: adapters in GGUF files are not read/, failure: 'unsupported' },
    ],
    [
      'adapter_model.safetensors',
      '{}',
      { message: /is not the folder of an adapter, expected one/, failure: 'usage' },
    ],
  ];
  for (const [name, content, expected] of near) {
    it(`and say what to do about ${name}`, async (t) => {
      const folder = temporaryFolder(t);
      const adapter = path.join(folder, name);
      if (content !== undefined) writeFileSync(adapter, content);
      await assertRejects(
        folder,
        () => withSource(fixture('plm-tiny'), async () => {}, { adapters: [adapter] }),
        expected,
      );
    });
  }

  it('and name the base model where the adapter is the source', async (t) => {
    const folder = folderOf(t);
    writeAdapter(folder, PAIRS);
    await assertRejects(folder, () => withSource(folder, async () => {}), {
      message: /^adapter: is an adapter, not a model, expected its base model, .* and --adapter \//,
    });
  });

  it('and leave nothing open where one of several is missing', async (t) => {
    const folder = temporaryFolder(t);
    const [there, missing] = ['adapter', 'missing'].map((name) => path.join(folder, name));
    writeAdapter(there!, adapterPair('model.layers.1.mlp.up_proj', [1024, 256]));
    const open = () => withSource(fixture('plm-tiny'), async () => {}, { adapters: [there!, missing!] });
    await assertRejects(folder, open, {
      message: /missing: no such file or folder$/,
      failure: 'local-io',
    });
  });
});

/** Fields that make another function of an adapter, or a base of another one; words of the message. */
const UNMERGEABLE: readonly (readonly [key: string, value: unknown, message: string])[] = [
  ...['pissa', 'pissa_niter_16', 'olora', 'OLoRA', 'corda', 'loftq', 'lora_ga'].map(
    (init) =>
      ['init_lora_weights', init, 'changes the weights of the base model.*path_initial_model'] as const,
  ),
  ['init_lora_weights', 'newer', 'is not known'],
  [
    'layer_replication',
    [
      [0, 1],
      [0, 1],
    ],
    'more layers',
  ],
  ['alora_invocation_tokens', [2001, 10], 'invocation tokens'],
  ['modules_to_save', ['lm_head'], 'whole modules'],
  ['trainable_token_indices', [1], 'rows of the embedding'],
  ['target_parameters', ['mlp.experts'], 'not linear layers'],
  ['bias', 'all', 'biases'],
  ['bias', 'lora_only', 'biases'],
  ['lora_bias', true, 'biases'],
  ['fan_in_fan_out', true, 'transposed'],
  ['use_qalora', true, 'pools'],
  ['use_bdlora', { nblocks: 2 }, 'blocks'],
  ['kasa_config', { beta: 1 }, 'truncates'],
  ['arrow_config', { top_k: 3 }, 'routes'],
  ['megatron_config', { size: 1 }, 'Megatron'],
  ['enable_lora', [true, false], 'fused'],
  ['something_newer', 'on', 'is not known, so it may change'],
  ['rank_pattern', { '(q|k)_proj': 8 }, 'is a regular expression'],
  ['alpha_pattern', { '.*attn.*': 8 }, 'is a regular expression'],
  ...['IA3', 'ADALORA', 'VERA', 'LOHA', 'PROMPT_TUNING'].map(
    (type) => ['peft_type', type, 'is not a LoRA'] as const,
  ),
];

const BAD_ALPHA: readonly Readonly<Record<string, unknown>>[] = [
  { lora_alpha: 0 },
  { lora_alpha: -4 },
  { lora_alpha: '16' },
  { alpha_pattern: { q_proj: 0 } },
];

const OTHER_TENSORS: readonly (readonly [name: string, message: string])[] = [
  ['model.embed_tokens.weight', 'replaces a weight, as of a vocabulary that has grown'],
  ['model.embed_tokens.base_layer.weight', 'is a weight of the base model'],
  ['model.embed_tokens.lora_embedding_A', 'adapts the embedding'],
  ['model.embed_tokens.token_adapter.trainable_tokens_delta', 'replaces rows of the embedding'],
  ['lm_head.modules_to_save.weight', 'replaces a'],
  [`${Q}.lora_B.bias`, 'is a bias \\(lora_bias\\)'],
  [`${Q}.bias`, 'is a bias'],
  [`${Q}.lora_E`, 'is of AdaLoRA'],
  [`${Q}.lora_diag`, 'is of KaSA'],
];

const lengthsOf = (module: string, rows = 24): AdapterTensor => ({
  name: `base_model.model.${module}.lora_magnitude_vector`,
  shape: [rows],
  values: new Float32Array(rows).fill(1),
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
      { message: /peft_type: is not a LoRA, got "IA3"/, failure: 'unsupported' },
    ],
    ...UNMERGEABLE.map(
      ([key, value, message]) =>
        [
          `${key} ${JSON.stringify(value)}`,
          (f: string) => writeAdapter(f, PAIRS, { [key]: value }),
          { message: new RegExp(`^adapter_config\\.json: ${key}.*: .*${message}`), failure: 'unsupported' },
        ] as const,
    ),
    ...BAD_ALPHA.map(
      (changes) =>
        [
          JSON.stringify(changes),
          (f: string) => writeAdapter(f, PAIRS, changes),
          { message: /alpha.*: wrong value, got .*, expected a number/ },
        ] as const,
    ),
    ...OTHER_TENSORS.map(
      ([name, message]) =>
        [
          `a tensor ${name}`,
          (f: string) =>
            writeAdapter(f, [
              ...PAIRS,
              { name: `base_model.model.${name}`, shape: [1], values: new Float32Array(1) },
            ]),
          { message: new RegExp(`": ${message}.*merge_and_unload`), failure: 'unsupported' },
        ] as const,
    ),
    [
      'DoRA without lengths',
      (f) => writeAdapter(f, PAIRS, { use_dora: true }),
      { message: /adapter of .*\.weight: lora_magnitude_vector is missing/ },
    ],
    [
      'lengths without DoRA',
      (f) => writeAdapter(f, [...PAIRS, lengthsOf(Q)]),
      { message: /lora_magnitude_vector without use_dora in adapter_config\.json/ },
    ],
    [
      'a module twice',
      (f) =>
        writeAdapter(f, [...PAIRS, { ...PAIRS[0]!, name: PAIRS[0]!.name.replace('.weight', '.b.weight') }]),
      { message: /a second a of model\.layers\.0\.self_attn\.q_proj/ },
    ],
    [
      'an adapter of MLX',
      (f) => writeAdapter(f, PAIRS, { peft_type: undefined, lora_parameters: { rank: 8 } }),
      { message: /belongs to an adapter of MLX, expected a LoRA of PEFT/, failure: 'unsupported' },
    ],
    [
      'a whole model',
      (f) => {
        mkdirSync(f);
        writeFileSync(path.join(f, 'config.json'), '{}');
      },
      { message: /^adapter: is a model, not an adapter; convert it as the source/ },
    ],
    [
      'an empty folder',
      (f) => mkdirSync(f),
      { message: /^adapter: no adapter in this folder, expected adapter_config\.json and / },
    ],
    [
      'half an adapter',
      (f) => writeAdapter(f, PAIRS.slice(1)),
      { message: /adapter of model\.layers\.0\.self_attn\.q_proj\.weight: lora_A is missing/ },
    ],
    ['nothing', (f) => writeAdapter(f, []), { message: /contains no adapter/ }],
    [
      'a tensor of another kind',
      (f) =>
        writeAdapter(f, [
          ...PAIRS,
          { name: 'base_model.model.x.lora_embedding_A', shape: [1], values: new Float32Array(1) },
        ]),
      { message: /x\.lora_embedding_A": adapts the embedding/, failure: 'unsupported' },
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
    const merge = async (tensors: readonly AdapterTensor[], config = {}) => {
      writeAdapter(folder, tensors, config);
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
    await assert.rejects(merge([...PAIRS.slice(0, 2), lengthsOf(Q, 23)], { use_dora: true }), {
      failure: 'invalid-input',
      message: /lora_magnitude_vector, got 23, expected 24/,
    });
    await assert.rejects(merge(adapterPair(Q, [24, 31])), {
      failure: 'invalid-input',
      message: /shape of B A, got \[24,31\], expected \[24, 32\]/,
    });
  });

  it('no file stays open where an adapter does not fit', async (t) => {
    const adapter = folderOf(t);
    writeAdapter(adapter, adapterPair('model.layers.99.mlp.up_proj', [48, 32]));
    const open = new Set<FileHandle>();
    changeHandles(t, (handle) => {
      const { close } = handle;
      open.add(handle);
      handle.close = () => {
        open.delete(handle);
        return close.call(handle);
      };
    });
    const source = withSource(fixture('plm-tiny'), async () => {}, { adapters: [adapter] });
    await assert.rejects(source, /the model has no such matrix/);
    assert.equal(open.size, 0);
  });

  it('values that are not finite, and sums that are not', async (t) => {
    const folder = folderOf(t);
    const [a, b] = PAIRS as [AdapterTensor, AdapterTensor];
    const read = async (tensors: readonly AdapterTensor[]) => {
      writeAdapter(folder, tensors);
      const merged = mergeLora(memoryModel(CONFIG), await openAdapter(folder));
      try {
        await readFloats(merged.tensors.get(`${Q}.weight`)!);
      } finally {
        await closeModel(merged);
      }
    };
    const broken = { ...b, values: b.values.map((value, i) => (i === 9 ? Number.NaN : value)) };
    await assert.rejects(read([a, broken]), {
      failure: 'invalid-input',
      message: /q_proj\.lora_B\.weight: weight \[2, 1\] is not finite, got NaN/,
    });
    const large = PAIRS.slice(0, 2).map((tensor) => ({ ...tensor, values: tensor.values.map(() => 1e30) }));
    await assert.rejects(read(large), {
      failure: 'invalid-input',
      message: /q_proj\.weight: weight \[0, 0\] with its adapter is not finite/,
    });
  });
});

describe('an adapter comes', () => {
  it('from the Hub, and offline from its cache', async (t) => {
    const server = await HubServer.start(t);
    const home = temporaryFolder(t);
    const folder = path.join(home, 'adapter');
    writeAdapter(folder, adapterPair('model.layers.1.mlp.up_proj', [1024, 256]));
    const names = ['adapter_config.json', 'adapter_model.safetensors'];
    const files = Object.fromEntries(names.map((name) => [name, readFileSync(path.join(folder, name))]));
    server.commit('me/lora', { ...files, 'optimizer.bin': Buffer.alloc(9) });
    server.commit('me/models', { ...Object.fromEntries(names.map((name) => [`v2/${name}`, files[name]!])) });
    const open = async (adapter: string, env: NodeJS.ProcessEnv = {}) =>
      withSource(
        fixture('plm-tiny'),
        async (model) => model.changes.map(({ subject, reason }) => [subject, reason]),
        { adapters: [adapter], env: { ...server.env(path.join(home, 'cache')), ...env } },
      );
    const merged = [['model.layers.1.mlp.up_proj.weight', 'adapter lora']];
    assert.deepEqual(await open('me/lora'), merged);
    assert.equal(server.seen.filter(({ url }) => url.includes('optimizer')).length, 0);
    assert.deepEqual(await open('hf://me/models/v2'), [
      ['model.layers.1.mlp.up_proj.weight', 'adapter models'],
    ]);
    const requests = server.seen.length;
    assert.deepEqual(await open('me/lora', { HF_HUB_OFFLINE: '1' }), merged);
    await assert.rejects(open('me/other', { HF_HUB_OFFLINE: '1' }), { failure: 'network' });
    assert.equal(server.seen.length, requests);
    await assert.rejects(open('me/models'), {
      failure: 'invalid-input',
      message: /^me\/models: no adapter in this repository, expected adapter_config\.json$/,
    });
  });
});

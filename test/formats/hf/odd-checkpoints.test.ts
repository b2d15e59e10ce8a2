import assert from 'node:assert/strict';
import { cpSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { planSafetensors } from '../../../fixtures/safetensors-writer.ts';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { writeRandomCheckpoint } from '../../support/builders/random-checkpoint.ts';
import { type TinyTensor, writeIndex, writeTinyConfig } from '../../support/builders/tiny-checkpoint.ts';
import { writeAsTorch } from '../../support/builders/torch-checkpoint.ts';
import { logitsOf } from '../../support/oracles/logits.ts';
import { fixture } from '../../support/paths.ts';
import { assertRejects, type Rejection } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const EMBEDDING = 'model.embed_tokens.weight';
const HEAD = 'lm_head.weight';
const UP = 'model.layers.0.mlp.up_proj.weight';
const IDS = [1, 2, 3, 500];

/** A tensor as a file holds it. */
type Stored = Omit<TinyTensor, 'name'> & { readonly bytes: Uint8Array };
type Tensors = Map<string, Stored>;

/** Tensors of the weights in `folder`. The format is simple enough to be read without our reader. */
function readTensors(folder: string): Tensors {
  const file = readFileSync(path.join(folder, WEIGHTS));
  const start = 8 + Number(file.readBigUInt64LE());
  const { __metadata__: _, ...header } = JSON.parse(file.toString('utf8', 8, start));
  return new Map(
    Object.entries<{ dtype: Stored['dtype']; shape: number[]; data_offsets: [number, number] }>(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => [name, { dtype, shape, bytes: file.subarray(start + from, start + to) }],
    ),
  );
}

function writeTensors(folder: string, tensors: Tensors, name = WEIGHTS): void {
  const plan = planSafetensors([...tensors].map(([name, tensor]) => ({ name, ...tensor })));
  const content = new Uint8Array(plan.bytes);
  content.set(plan.head);
  for (const { name, offset } of plan.tensors) content.set(tensors.get(name)!.bytes, offset);
  writeFileSync(path.join(folder, name), content);
}

function changeTensors(folder: string, change: (tensors: Tensors) => Tensors): void {
  writeTensors(folder, change(readTensors(folder)));
}

const rename = (to: (name: string) => string) => (folder: string) =>
  changeTensors(folder, (tensors) => new Map([...tensors].map(([name, tensor]) => [to(name), tensor])));
const under = (prefix: string) => rename((name) => prefix + name);
const add =
  (...extra: [name: string, tensor: Partial<Stored>][]) =>
  (folder: string) =>
    changeTensors(folder, (tensors) => {
      for (const [name, tensor] of extra) {
        tensors.set(name, { dtype: 'U8', shape: [1], bytes: new Uint8Array(1), ...tensor });
      }
      return tensors;
    });
const withHead = (head: (embedding: Stored) => Stored, config: Readonly<Record<string, unknown>> = {}) => {
  return (folder: string) => {
    changeTensors(folder, (tensors) => tensors.set(HEAD, head(tensors.get(EMBEDDING)!)));
    writeTinyConfig(folder, config);
  };
};
const same = (embedding: Stored): Stored => embedding;
/** Differs in the last byte alone. */
const trained = ({ bytes, ...embedding }: Stored): Stored => {
  const changed = Uint8Array.from(bytes);
  changed[changed.length - 2]! ^= 1;
  return { ...embedding, bytes: changed };
};
/** The same values of BF16 in F32. */
const inF32 = ({ shape, bytes }: Stored): Stored => {
  const wide = new Uint8Array(2 * bytes.length);
  for (let i = 0; i < bytes.length; i++) wide[4 * (i >> 1) + 2 + (i & 1)] = bytes[i]!;
  return { dtype: 'F32', shape, bytes: wide };
};
/** Each of two shards with half of the tensors, and their index. */
function shard(
  folder: string,
  names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'],
) {
  const tensors = readTensors(folder);
  const map: Record<string, string> = {};
  for (const [i, name] of names.entries()) {
    const half = new Map([...tensors].filter((_, index) => index % 2 === i));
    writeTensors(folder, half, name);
    for (const tensor of half.keys()) map[tensor] = name;
  }
  writeIndex(folder, map);
  renameSync(path.join(folder, WEIGHTS), path.join(folder, 'unused'));
}
const FSDP = (name: string) =>
  `_fsdp_wrapped_module.${name.replace(/^model\.layers\.\d+\./, (layer) => `${layer}_fsdp_wrapped_module._checkpoint_wrapped_module.`)}`;

interface Accepted {
  readonly name: string;
  readonly change: (folder: string) => void;
  /** Notes beyond those of the plain checkpoint. */
  readonly notes?: readonly string[];
}

const readAs = (prefix: string) => [
  `${WEIGHTS}: names that begin with ${JSON.stringify(prefix)} are read as model.…`,
];
const leftover = (field: string) => [`config.json: ${field} ignored, the weights are not quantized (BF16)`];
const equalHead = (name = HEAD, embedding = EMBEDDING) => [
  `${name} ignored: it equals ${embedding}, to which it is tied`,
];

const ACCEPTED: readonly Accepted[] = [
  ...[
    'module.',
    '_orig_mod.',
    'base_model.model.',
    '_forward_module.',
    'module._orig_mod.',
    'language_model.',
    'lm.',
  ].map((prefix) => ({
    name: `names under ${prefix}`,
    change: under(prefix),
    notes: readAs(`${prefix}model.`),
  })),
  {
    name: 'names without model.',
    change: rename((name) => name.slice('model.'.length)),
    notes: [`${WEIGHTS}: names without "model." are read as if they had it`],
  },
  {
    name: 'names under transformer. in place of model.',
    change: rename((name) => name.replace('model.', 'transformer.')),
    notes: readAs('transformer.'),
  },
  { name: 'names under model.model.', change: under('model.'), notes: readAs('model.model.') },
  {
    name: 'torch.compile of the transformer alone, and a head outside of it',
    change: (folder) => {
      withHead(same)(folder);
      rename((name) => name.replace(/^model\./, 'model._orig_mod.'))(folder);
    },
    notes: [...readAs('model._orig_mod.'), ...equalHead(HEAD, 'model._orig_mod.embed_tokens.weight')],
  },
  {
    name: 'FSDP around the model and each layer',
    change: rename(FSDP),
    notes: readAs('_fsdp_wrapped_module.model.'),
  },
  {
    name: 'layers that are compiled one by one',
    change: rename((name) => name.replace(/^model\.layers\.\d+\./, (layer) => `${layer}_orig_mod.`)),
  },
  {
    name: 'a head under a wrapper',
    change: (folder) => {
      withHead(same)(folder);
      under('module.')(folder);
    },
    notes: [...readAs('module.model.'), ...equalHead(`module.${HEAD}`, `module.${EMBEDDING}`)],
  },
  {
    name: 'a head that is the embedding',
    change: withHead(same, { tie_word_embeddings: true }),
    notes: equalHead(),
  },
  {
    name: 'a head that is the embedding, of which config.json is silent',
    change: withHead(same),
    notes: equalHead(),
  },
  {
    name: 'a head that is the embedding in another dtype',
    change: withHead(inF32, { tie_word_embeddings: true }),
    notes: equalHead(),
  },
  {
    name: 'a head that is the embedding, tie null',
    change: withHead(same, { tie_word_embeddings: null }),
    notes: equalHead(),
  },
  {
    name: 'buffers of rotary embeddings',
    change: add([
      'model.layers.0.self_attn.rotary_emb.cos_cached',
      { dtype: 'F32', bytes: new Uint8Array(4) },
    ]),
    notes: ['model.layers.0.self_attn.rotary_emb.cos_cached ignored: a buffer that follows from rope_theta'],
  },
  {
    name: 'the buffer that Transformers keeps of the first frequencies',
    change: add(['model.rotary_emb.original_inv_freq', { dtype: 'F32', bytes: new Uint8Array(4) }]),
    notes: ['model.rotary_emb.original_inv_freq ignored: a buffer that follows from rope_theta'],
  },
  {
    name: 'an adapter beside the weights',
    change: (folder) => writeFileSync(path.join(folder, 'adapter_config.json'), '{"peft_type": "LORA"}'),
    notes: ['adapter_config.json ignored: --adapter with this folder merges it'],
  },
  {
    name: 'a padding of -1, which is none',
    change: (folder) => writeTinyConfig(folder, { pad_token_id: -1 }),
  },
  ...[
    { quantization_config: { quant_method: 'bitsandbytes', load_in_4bit: true } },
    { quantization_config: { quant_method: 'gptq', bits: 4 } },
    { quantization_config: {} },
    { quantization: { group_size: 64, bits: 4 } },
    { compression_config: { quant_method: 'compressed-tensors' } },
  ].map((config) => ({
    name: `${JSON.stringify(config)} left behind`,
    change: (folder: string) => writeTinyConfig(folder, config),
    notes: leftover(Object.keys(config)[0]!),
  })),
  {
    name: 'theta inside of rope_scaling',
    change: (folder) => writeTinyConfig(folder, { rope_scaling: { rope_theta: 100_000 } }),
  },
  { name: 'two shards', change: shard },
  {
    name: 'shards of other forms beside the index',
    change: (folder) => {
      shard(folder);
      for (const name of [
        'consolidated-00001-of-00002.safetensors',
        'model-00004-of-00004.safetensors',
        'pytorch_model.bin',
      ]) {
        writeFileSync(path.join(folder, name), 'of another form');
      }
    },
  },
  {
    name: 'shards of names of their own',
    change: (folder) => shard(folder, ['a.safetensors', 'b.safetensors']),
  },
  {
    name: 'one file beside an index, which Transformers takes first',
    change: (folder) => {
      shard(folder);
      renameSync(path.join(folder, 'unused'), path.join(folder, WEIGHTS));
    },
    notes: [`${INDEX} ignored, because ${WEIGHTS} exists`],
  },
  {
    name: 'files of systems and editors',
    change: (folder) => {
      for (const name of [
        '._config.json',
        `._${WEIGHTS}`,
        '._model-00001-of-00002.safetensors',
        '.DS_Store',
        'Thumbs.db',
      ]) {
        writeFileSync(path.join(folder, name), Uint8Array.of(0, 5, 0x16, 7));
      }
      for (const name of [
        'desktop.ini',
        'config.json~',
        'config.json.bak',
        `${WEIGHTS}.orig`,
        '.config.json.swp',
      ]) {
        writeFileSync(path.join(folder, name), 'x');
      }
    },
  },
  {
    name: 'names in another case',
    change: (folder) => {
      renameSync(path.join(folder, 'config.json'), path.join(folder, 'Config.json'));
      renameSync(path.join(folder, WEIGHTS), path.join(folder, 'MODEL.SAFETENSORS'));
    },
  },
];

async function openModel(t: TestContext, folder: string): Promise<Model> {
  const model = await openHfFolder(folder);
  t.after(() => closeModel(model));
  return model;
}

test('opens, with the logits of the plain checkpoint', async (t) => {
  const plain = temporaryFolder(t);
  writeRandomCheckpoint(plain, { config: {} });
  const expected = await openModel(t, plain);
  const rows = await logitsOf(expected, IDS);
  assert.ok(rows.every((row) => row.some((value) => Number.isFinite(value) && value !== 0)));
  const same = async (model: Model, notes: readonly string[] = []) => {
    assert.deepEqual([...model.tensors.keys()], [...expected.tensors.keys()]);
    assert.deepEqual(model.notes, [...expected.notes, ...notes]);
    assert.deepEqual(model.config, expected.config);
    assert.deepEqual(await logitsOf(model, IDS), rows);
  };
  for (const { name, change, notes } of ACCEPTED) {
    await t.test(name, async (t) => {
      const folder = temporaryFolder(t);
      writeRandomCheckpoint(folder, { config: {} });
      change(folder);
      await same(await openModel(t, folder), notes);
    });
  }
  await t.test('names under a wrapper in a file of PyTorch', async (t) => {
    const folder = temporaryFolder(t);
    await writeAsTorch(plain, folder, { change: (name) => ({ name: `module.${name}` }) });
    await same(await openModel(t, folder), [
      'pytorch_model.bin: names that begin with "module.model." are read as model.…',
    ]);
  });
});

test('uses a head that differs where config.json does not tie it', async (t) => {
  for (const tied of [undefined, null, false]) {
    const folder = temporaryFolder(t);
    writeRandomCheckpoint(folder, { config: {} });
    withHead(trained, { tie_word_embeddings: tied })(folder);
    const { config, tensors, notes } = await openModel(t, folder);
    assert.equal(config.tieWordEmbeddings, false);
    assert.ok(tensors.has(HEAD));
    const isNoted = notes.some((note) => /has no tie_word_embeddings: lm_head.weight differs/.test(note));
    assert.equal(isNoted, tied !== false);
  }
});

interface Refused extends Rejection {
  readonly name: string;
  readonly change: (folder: string) => void;
}

/** Names that come with weights of another kind, and the kind. */
const KINDS: readonly (readonly [names: readonly string[], kind: RegExp])[] = [
  [
    [
      'absmax',
      'quant_map',
      'nested_absmax',
      'nested_quant_map',
      'quant_state.bitsandbytes__nf4',
      'quant_state.bitsandbytes__fp4',
      'SCB',
      'weight_format',
    ],
    /bitsandbytes/,
  ],
  [['g_idx'], /GPTQ/],
  [['qweight', 'qzeros'], /AWQ or GPTQ/],
  [['weight_scale_inv'], /FP8/],
  [['weight_scale', 'input_scale', 'k_scale', 'weight_scale_2'], /FP8 or by compressed-tensors/],
  [['weight_packed', 'weight_shape', 'weight_zero_point', 'weight_global_scale'], /compressed-tensors/],
  [['scales', 'biases'], /MLX/],
  [['W_q'], /HQQ/],
  [['codebooks'], /AQLM/],
  [['trellis'], /ExLlamaV3/],
  [['q_invperm'], /ExLlamaV2/],
  [['weight._data'], /Quanto/],
  [['_weight_qdata'], /torchao/],
];

const REFUSED: readonly Refused[] = [
  ...KINDS.flatMap(([names, kind]) =>
    names.map((name): Refused => {
      const module = 'model.layers.0.mlp.up_proj';
      const tensor =
        name.startsWith('quant_') || name.startsWith('absmax')
          ? `${module}.weight.${name}`
          : `${module}.${name}`;
      return {
        name: `a tensor ${tensor}`,
        change: add([tensor, {}]),
        failure: 'unsupported',
        message: new RegExp(
          `^model\\.safetensors: tensor ".*${name.replace(/\W/g, '.')}": the weights are quantized .*${kind.source}`,
        ),
      };
    }),
  ),
  {
    name: 'quantized weights, beside the method that config.json names',
    change: (folder) => {
      add([`${UP}.absmax`, {}])(folder);
      writeTinyConfig(folder, { quantization_config: { quant_method: 'bitsandbytes' } });
    },
    failure: 'unsupported',
    message: /quantized by bitsandbytes, quantization_config\.quant_method is bitsandbytes/,
  },
  {
    name: 'packed weights whose scales are missing',
    change: add([UP, { dtype: 'U32', shape: [16, 1], bytes: new Uint8Array(64) }]),
    failure: 'unsupported',
    message: /up_proj\.weight": dtype: not supported, got "U32", expected F32, F16 or BF16$/,
  },
  {
    name: 'quantized weights without config.json',
    change: (folder) => {
      add(['model.layers.0.mlp.up_proj.scales', {}], ['model.layers.0.mlp.up_proj.biases', {}])(folder);
      renameSync(path.join(folder, 'config.json'), path.join(folder, 'config'));
    },
    failure: 'unsupported',
    message: /the weights are quantized by MLX/,
  },
  {
    name: 'plain weights without config.json',
    change: (folder) => renameSync(path.join(folder, 'config.json'), path.join(folder, 'config')),
    message: /^config\.json: missing$/,
  },
  {
    name: 'weights that are quantized in use',
    change: (folder) => writeTinyConfig(folder, { quantization_config: { quant_method: 'bitnet' } }),
    failure: 'unsupported',
    message:
      /^config\.json: quantization_config\.quant_method: such a model quantizes its weights while it computes, got "bitnet"$/,
  },
  ...[
    'lora_A.default.weight',
    'lora_B.weight',
    'lora_magnitude_vector.default.weight',
    'base_layer.weight',
  ].map(
    (name): Refused => ({
      name: `an adapter that is not merged, ${name}`,
      change: add([`model.layers.0.mlp.up_proj.${name}`, {}]),
      failure: 'unsupported',
      message: /: a PEFT adapter that is not merged: merge it, or pass its folder as --adapter$/,
    }),
  ),
  {
    name: 'names of two prefixes',
    change: rename((name) => (name.includes('layers.1.') ? `module.${name}` : name)),
    message:
      /tensor "model\.layers\.1\.input_layernorm\.weight": missing \(and \d+ more\), config\.json needs it; the file has "module\.model\.layers\.1\..*"$/,
  },
  {
    name: 'names without a prefix, but for some',
    change: rename((name) => (name === 'model.norm.weight' ? name : name.slice('model.'.length))),
    message:
      /tensor "model\.norm\.weight": missing, config\.json needs it; the file has "model\.norm\.weight"$/,
  },
  {
    name: 'names of another family',
    change: rename((name) =>
      name.replace('model.embed_tokens', 'transformer.wte').replace('model.', 'transformer.'),
    ),
    message: /missing \(and \d+ more\), config\.json needs it; the file has "transformer\./,
  },
  {
    name: 'a tensor twice, once under a wrapper',
    change: (folder) =>
      changeTensors(folder, (tensors) =>
        tensors.set('model._orig_mod.norm.weight', tensors.get('model.norm.weight')!),
      ),
    message:
      /tensor "model\.(_orig_mod\.)?norm\.weight": means model\.norm\.weight, and so does model\.(_orig_mod\.)?norm\.weight$/,
  },
  {
    name: 'two models in one file',
    change: (folder) =>
      changeTensors(
        folder,
        (tensors) =>
          new Map(
            [...tensors].flatMap(([name, tensor]) => [
              [`student.${name}`, tensor],
              [`teacher.${name}`, tensor],
            ]),
          ),
      ),
    message: /tensor "teacher\.model\..*": unexpected/,
  },
  {
    name: 'a head that differs although config.json ties it',
    change: withHead(trained, { tie_word_embeddings: true }),
    message:
      /^model\.safetensors: tensor "lm_head\.weight": differs from the embedding, to which config\.json ties it; set tie_word_embeddings to false to keep this head$/,
  },
];

test('compares a head to its end', async (t) => {
  const folder = path.join(temporaryFolder(t), 'plm-tiny');
  cpSync(fixture('plm-tiny'), folder, { recursive: true });
  const addHead = (head: (embedding: Stored) => Stored) =>
    changeTensors(folder, (tensors) => tensors.set(HEAD, head(tensors.get(EMBEDDING)!)));
  for (const head of [same, inF32]) {
    addHead(head);
    assert.equal((await openModel(t, folder)).tensors.has(HEAD), false);
  }
  for (const head of [trained, (embedding: Stored) => trained(inF32(embedding))]) {
    addHead(head);
    await assertRejects(folder, () => openHfFolder(folder), {
      message: /lm_head\.weight": differs from the embedding/,
    });
  }
});

test('refuses, naming what the file has', async (t) => {
  for (const { name, change, ...expected } of REFUSED) {
    await t.test(name, async (t) => {
      const folder = temporaryFolder(t);
      writeRandomCheckpoint(folder, { config: {} });
      change(folder);
      await assertRejects(folder, () => openHfFolder(folder), expected);
    });
  }
});

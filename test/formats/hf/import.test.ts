import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { isHfFolder, openHfFolder } from '../../../formats/hf/import.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { byteLength, rowCount } from '../../../src/core/tensor.ts';
import { SourceFolder } from '../../../src/io/source-folder.ts';
import { noiseSafetensors, rawSafetensors } from '../../support/builders/safetensors-builder.ts';
import {
  type TinyTensor,
  tinyTensors,
  writeTinyCheckpoint,
  writeTinyConfig,
} from '../../support/builders/tiny-checkpoint.ts';
import { fixture } from '../../support/paths.ts';
import { asUnprivileged, NO_PERMISSIONS } from '../../support/privileges.ts';
import { assertRejects, type Rejection } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const WEIGHTS = 'model.safetensors';

async function openModel(t: TestContext, folder: string): Promise<Model> {
  const model = await openHfFolder(folder);
  t.after(() => closeModel(model));
  return model;
}

test('opens plm-tiny', async (t) => {
  const model = await openModel(t, fixture('plm-tiny'));
  assert.equal(model.name, 'plm-tiny');
  assert.equal(model.format, 'safetensors');
  assert.equal(model.tensors.size, 38);
  assert.deepEqual(model.generation, { temperature: 0.7, topP: 0.9 });
  assert.equal(model.tokenizer.tokens.length, 2003);
  assert.deepEqual([...model.tokenizer.stopTokenIds].sort(), [2000, 2002]);
  assert.deepEqual(model.changes, []);
  const names = ['config.json', WEIGHTS, 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'];
  assert.deepEqual(
    model.files.map(({ name }) => name),
    names,
  );
  for (const file of model.files) {
    const content = readFileSync(fixture('plm-tiny', file.name));
    assert.equal(file.bytes, content.length);
    assert.equal(await file.sha256(), createHash('sha256').update(content).digest('hex'));
  }
});

test('stop tokens are those of config.json and of generation_config.json', async (t) => {
  const folder = temporaryFolder(t);
  writeTinyCheckpoint(folder);
  writeFileSync(path.join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: [2001, 2002] }));
  const { tokenizer } = await openModel(t, folder);
  // 2000 is <|endoftext|>, at which every text ends.
  assert.deepEqual([...tokenizer.stopTokenIds].sort(), [2000, 2001, 2002]);
});

test('tensors give their rows', async (t) => {
  const folder = temporaryFolder(t);
  writeTinyCheckpoint(folder);
  const { content, plan } = noiseSafetensors(tinyTensors(), 1);
  const model = await openModel(t, folder);
  for (const { name, offset, bytes, shape } of plan.tensors) {
    const tensor = model.tensors.get(name)!;
    assert.deepEqual(tensor.shape, shape);
    assert.equal(byteLength(tensor), bytes);
    const rows = rowCount(tensor);
    const first = Math.floor(rows / 3);
    const into = new Uint8Array((bytes / rows) * (rows - first));
    await tensor.readRows({ first, count: rows - first }, into);
    assert.deepEqual(into, content.slice(offset + (bytes / rows) * first, offset + bytes));
  }
  const norm = model.tensors.get('model.norm.weight')!;
  const aborted = norm.readRows({ first: 0, count: 1 }, new Uint8Array(16), AbortSignal.abort());
  await assert.rejects(aborted, { name: 'AbortError' });
});

test('notes what it ignores', async (t) => {
  const folder = temporaryFolder(t);
  const extra: TinyTensor[] = [
    { name: 'model.layers.0.self_attn.rotary_emb.inv_freq', dtype: 'F32', shape: [1] },
  ];
  writeTinyCheckpoint(folder, [...tinyTensors(), ...extra]);
  writeTinyConfig(folder, { auto_map: { AutoConfig: 'x.Y' }, tie_word_embeddings: true });
  writeFileSync(path.join(folder, 'README.md'), Uint8Array.of(0xff));
  const model = await openModel(t, folder);
  assert.deepEqual(
    model.notes.filter((note) => /ignored/.test(note)),
    [
      'config.json: auto_map ignored, no code of a model is run',
      'model.layers.0.self_attn.rotary_emb.inv_freq ignored: a buffer that follows from rope_theta',
      'ignored: README.md: not valid UTF-8',
    ],
  );
  assert.equal(model.tensors.size, tinyTensors().length);
});

test('reads the model card', async (t) => {
  const folder = temporaryFolder(t);
  writeTinyCheckpoint(folder);
  writeFileSync(path.join(folder, 'README.md'), '---\nlicense: mit\n---\n# Tiny\n');
  assert.deepEqual((await openModel(t, folder)).card, { license: 'mit' });
});

test('opens every variant of the geometry', async (t) => {
  const variants: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    'low-rank query': { q_lora_rank: 4 },
    'untied head': { tie_word_embeddings: false },
    'a width for each layer': { intermediate_size: [16, 32] },
    'halves rotate': { rope_interleave: false },
  };
  for (const [name, changes] of Object.entries(variants)) {
    await t.test(name, async (t) => {
      const folder = temporaryFolder(t);
      writeTinyCheckpoint(folder, tinyTensors(changes, 'F16'));
      writeTinyConfig(folder, changes);
      const { tensors } = await openModel(t, folder);
      assert.deepEqual(
        [...tensors.keys()],
        tinyTensors(changes).map((tensor) => tensor.name),
      );
      assert.ok([...tensors.values()].every(({ scheme }) => scheme === 'F16'));
    });
  }
});

test('opens a snapshot of the cache of the Hub', async (t) => {
  const root = path.join(temporaryFolder(t), 'models--org--tiny');
  const snapshot = path.join(root, 'snapshots', '0123abcd');
  const blobs = path.join(root, 'blobs');
  mkdirSync(blobs, { recursive: true });
  mkdirSync(snapshot, { recursive: true });
  writeTinyCheckpoint(blobs);
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json', WEIGHTS]) {
    renameSync(path.join(blobs, name), path.join(blobs, `blob-of-${name}`));
    symlinkSync(path.join('..', '..', 'blobs', `blob-of-${name}`), path.join(snapshot, name));
  }
  const model = await openModel(t, snapshot);
  assert.equal(model.tensors.size, tinyTensors().length);
  assert.equal(model.name, 'tiny');
});

test('tells folders of checkpoints from others', async (t) => {
  const folder = temporaryFolder(t);
  const isCheckpoint = async (at: string) => isHfFolder(await SourceFolder.open(at));
  assert.equal(await isCheckpoint(folder), false);
  writeFileSync(path.join(folder, 'model.gguf'), '');
  assert.equal(await isCheckpoint(folder), false);
  writeFileSync(path.join(folder, 'pytorch_model.bin'), '');
  assert.equal(await isCheckpoint(folder), true);
  assert.equal(await isCheckpoint(fixture('plm-tiny')), true);
});

interface Damage extends Rejection {
  readonly name: string;
  readonly damage: (file: (name: string) => string, folder: string) => void;
}

const change = (fields: Readonly<Record<string, unknown>>) => (_: unknown, folder: string) =>
  writeTinyConfig(folder, fields);
const weights = (tensors: readonly TinyTensor[]) => (file: (name: string) => string) =>
  writeFileSync(file(WEIGHTS), noiseSafetensors(tensors, 1).content);
const replace = (name: string, replacement: Partial<TinyTensor>) =>
  weights(tinyTensors().map((tensor) => (tensor.name === name ? { ...tensor, ...replacement } : tensor)));
const NORM = 'model.norm.weight';
const UP = 'model.layers.1.mlp.up_proj.weight';

// biome-ignore format: rows of a table
const DAMAGES: readonly Damage[] = [
  // Files of the folder.
  { name: 'config.json missing', damage: (file) => rmSync(file('config.json')), message: /^config\.json: missing$/ },
  { name: 'config.json a Git LFS pointer', damage: (file) => writeFileSync(file('config.json'), 'version https://git-lfs.github.com/spec/v1\n'), message: /^config\.json: this is a Git LFS pointer, run git lfs pull$/ },
  { name: 'config.json larger than 10 MB', damage: (file) => writeFileSync(file('config.json'), ' '.repeat(10_000_001)), message: /^config\.json: too large, got 10000001/ },
  { name: 'config.json not UTF-8', damage: (file) => writeFileSync(file('config.json'), Buffer.from('{"\xff":1}', 'latin1')), message: /^config\.json: not valid UTF-8$/ },
  { name: 'config.json a folder', damage: (file) => { rmSync(file('config.json')); mkdirSync(file('config.json')); }, message: /^config\.json: is a folder, not a regular file$/ },
  { name: 'config.json a link out of the folder', damage: (file) => { rmSync(file('config.json')); symlinkSync('/etc/passwd', file('config.json')); }, message: /^config\.json: symbolic link that leads out of the folder$/ },
  { name: 'generation_config.json wrong', damage: (file) => writeFileSync(file('generation_config.json'), '{"top_p": 2}'), message: /^generation_config\.json: top_p: wrong value/ },
  { name: 'tokenizer.json missing', damage: (file) => rmSync(file('tokenizer.json')), message: /^tokenizer\.json: missing, expected it, or vocab\.json and merges\.txt$/ },
  { name: 'no weights', damage: (file) => rmSync(file(WEIGHTS)), message: /^model\.safetensors: missing$/ },
  { name: 'safetensors of another name', damage: (file) => renameSync(file(WEIGHTS), file('model.fp16.safetensors')), message: /^model\.safetensors: missing; if model\.fp16\.safetensors holds the weights, rename it$/ },
  { name: 'weights of MLX as an archive of NumPy', damage: (file) => renameSync(file(WEIGHTS), file('weights.npz')), failure: 'unsupported', message: /^weights\.npz: weights of another framework, expected safetensors$/ },
  { name: 'weights of MLX as an archive of NumPy, without config.json', damage: (file) => { renameSync(file(WEIGHTS), file('weights.npz')); rmSync(file('config.json')); }, failure: 'unsupported', message: /^weights\.npz: weights of another framework, expected safetensors$/ },
  { name: 'only a shard of PyTorch', damage: (file) => renameSync(file(WEIGHTS), file('pytorch_model-00001-of-00002.bin')), message: /^pytorch_model\.bin\.index\.json: missing$/ },
  ...['model.pt', 'model.pth', 'model.ckpt', 'adapter_model.bin', 'pytorch_model_00001.bin'].map((name) => ({
    name: `only ${name}`,
    damage: (file: (name: string) => string) => renameSync(file(WEIGHTS), file(name)),
    message: new RegExp(`^${name}: pickles of other names than pytorch_model\\.bin are not read; convert to safetensors first$`),
  })),

  // Weights as files.
  { name: 'weights of 0 bytes', damage: (file) => truncateSync(file(WEIGHTS), 0), message: /^model\.safetensors: header: file too short/ },
  { name: 'weights cut', damage: (file) => truncateSync(file(WEIGHTS), 20_000), message: /^model\.safetensors: header: tensors end after the file/ },
  { name: 'weights with 34 bytes behind', damage: (file) => appendFileSync(file(WEIGHTS), 'x'.repeat(34)), message: /^model\.safetensors: header: bytes after the last tensor/ },
  { name: 'weights a folder', damage: (file) => { rmSync(file(WEIGHTS)); mkdirSync(file(WEIGHTS)); }, message: /^model\.safetensors: is a folder, not a regular file$/ },
  { name: 'weights a link to a device', damage: (file) => { rmSync(file(WEIGHTS)); symlinkSync('/dev/zero', file(WEIGHTS)); }, message: /^model\.safetensors: symbolic link that leads out of the folder$/ },
  { name: 'weights without tensors', damage: (file) => writeFileSync(file(WEIGHTS), rawSafetensors('{}')), message: /^model\.safetensors: tensor "model\.embed_tokens\.weight": missing/ },

  // Weights against config.json.
  { name: '32 layers in the config, tensors for 31', damage: (file, folder) => { weights(tinyTensors({ num_hidden_layers: 31 }))(file); writeTinyConfig(folder, { num_hidden_layers: 32 }); }, message: /^model\.safetensors: tensor "model\.layers\.31\.input_layernorm\.weight": missing \(and 8 more\), config\.json needs it$/ },
  { name: '1 layer in the config, tensors for 2', damage: change({ num_hidden_layers: 1 }), message: /^model\.safetensors: tensor "model\.layers\.1\..*": unexpected, a PLM of this config\.json does not have it$/ },
  { name: 'one tensor missing', damage: weights(tinyTensors().filter(({ name }) => name !== NORM)), message: /tensor "model\.norm\.weight": missing, config\.json needs it$/ },
  { name: 'unknown tensor', damage: weights([...tinyTensors(), { name: 'score.weight', dtype: 'F32', shape: [1] }]), message: /tensor "score\.weight": unexpected/ },
  { name: 'a bias', damage: weights([...tinyTensors(), { name: 'model.layers.0.self_attn.q_proj.bias', dtype: 'F32', shape: [12] }]), message: /tensor "model\.layers\.0\.self_attn\.q_proj\.bias": unexpected/ },
  { name: 'hidden_size of another model', damage: change({ hidden_size: 16 }), message: /tensor "model\.embed_tokens\.weight": shape: wrong shape, got \[2048,8\], expected \[2048,16\]$/ },
  { name: 'shape the other way round', damage: replace(UP, { shape: [8, 16] }), message: /tensor "model\.layers\.1\.mlp\.up_proj\.weight": shape: wrong shape, got \[8,16\], expected \[16,8\]$/ },
  { name: 'one dimension more', damage: replace(NORM, { shape: [1, 8] }), message: /tensor "model\.norm\.weight": shape: wrong shape, got \[1,8\], expected \[8\]$/ },
  { name: 'zero size, shape [2,0]', damage: replace(UP, { shape: [2, 0] }), message: /shape: wrong shape, got \[2,0\]/ },
  { name: 'untied head missing', damage: change({ tie_word_embeddings: false }), message: /tensor "lm_head\.weight": missing, config\.json needs it; set tie_word_embeddings to true if the embedding is the head$/ },
  { name: 'head of another shape, tied', damage: weights([...tinyTensors(), { name: 'lm_head.weight', dtype: 'BF16', shape: [8, 8] }]), message: /tensor "lm_head\.weight": shape: wrong shape, got \[8,8\], expected \[2048,8\]$/ },
  ...(['F8_E4M3', 'F8_E5M2', 'F64', 'I8', 'U8', 'I32', 'BOOL'] as const).map((dtype) => ({
    name: `weights in ${dtype}`,
    damage: replace(UP, { dtype }),
    failure: 'unsupported' as const,
    message: new RegExp(`tensor "model\\.layers\\.1\\.mlp\\.up_proj\\.weight": dtype: not supported, got "${dtype}", expected F32, F16 or BF16$`),
  })),
  { name: 'weights in F4', damage: replace(UP, { dtype: 'F4' }), failure: 'unsupported', message: /dtype: not supported, got "F4"/ },

  // config.json; its fields one by one are in config.test.ts.
  { name: 'model_type llama', damage: change({ model_type: 'llama' }), failure: 'unsupported', message: /^config\.json: model_type: not supported, got "llama"/ },
  { name: 'kv_lora_rank missing', damage: change({ kv_lora_rank: undefined }), message: /^config\.json: kv_lora_rank: missing/ },
];

test('refuses', async (t) => {
  for (const { name, damage, ...expected } of DAMAGES) {
    await t.test(name, async (t) => {
      const folder = temporaryFolder(t);
      writeTinyCheckpoint(folder);
      damage((file) => path.join(folder, file), folder);
      await assertRejects(folder, () => openHfFolder(folder), expected);
    });
  }
  await t.test('no folder', async (t) => {
    const folder = temporaryFolder(t);
    const open = () => openHfFolder(path.join(folder, 'absent'));
    await assertRejects(folder, open, { message: /absent: missing \(ENOENT\)$/ });
  });
  for (const name of ['config.json', WEIGHTS]) {
    await t.test(`${name} without permission`, { skip: NO_PERMISSIONS }, async (t) => {
      const folder = temporaryFolder(t);
      writeTinyCheckpoint(folder);
      chmodSync(folder, 0o755);
      chmodSync(path.join(folder, name), 0);
      const expected: Rejection = {
        failure: 'local-io',
        message: new RegExp(`^${name}: permission denied \\(EACCES\\)$`),
      };
      await assertRejects(folder, () => asUnprivileged(() => openHfFolder(folder)), expected);
    });
  }
});

test('weights that change after they were opened', async (t) => {
  const changes: Readonly<Record<string, (file: string) => void>> = {
    shrink: (file) => truncateSync(file, 1000),
    grow: (file) => appendFileSync(file, 'x'),
    'are written again': (file) => utimesSync(file, 1, 1),
    'are replaced': (file) => {
      writeFileSync(`${file}.new`, readFileSync(file));
      renameSync(`${file}.new`, file);
    },
  };
  const expected: Rejection = { message: /^model\.safetensors: changed while reading$/ };
  for (const [name, change] of Object.entries(changes)) {
    await t.test(name, async (t) => {
      const folder = temporaryFolder(t);
      writeTinyCheckpoint(folder);
      const model = await openModel(t, folder);
      change(path.join(folder, WEIGHTS));
      const file = model.files.find((file) => file.name === WEIGHTS)!;
      await assertRejects(folder, () => file.sha256(), expected);
      if (name !== 'shrink') return;
      const embedding = model.tensors.get('model.embed_tokens.weight')!;
      const read = () => embedding.readRows({ first: 0, count: 2048 }, new Uint8Array(byteLength(embedding)));
      await assertRejects(folder, read, expected);
    });
  }
});

const OPEN_FOLDER = path.join(import.meta.dirname, '../../support/drivers/open-folder.js');
/** Most memory that telling a bad input may take: 300 MB, and what versions of Node differ by. */
const MAX_REJECT_KB = 320_000;

test('hostile sizes take little memory', async (t) => {
  const manyTensors = () => {
    const entries = Array.from(
      { length: 1_000_000 },
      (_, i) => `"${i}":{"dtype":"U8","shape":[1],"data_offsets":[${i},${i + 1}]}`,
    );
    return rawSafetensors(`{${entries.join(',')}}`, 1_000_000);
  };
  // biome-ignore format: rows of a table
  const rows: readonly (readonly [name: string, file: string, content: () => string | Buffer, message: RegExp])[] = [
    ['1,000,000 tensors', WEIGHTS, manyTensors, /^model\.safetensors: header: more than 100000 members/],
    ['200,000 levels', 'config.json', () => `{"a":${'['.repeat(200_000)}`, /^config\.json: line 1, column \d+: not valid JSON: nested deeper/],
    ['shape of 49,000,000 dimensions', WEIGHTS, () => rawSafetensors(`{"x":{"shape":[${'1,'.repeat(49_000_000)}1]}}`), /^model\.safetensors: header: line 1, column \d+: .*more than 2000000 values/],
    ['10,000,000 small arrays', 'tokenizer.json', () => `[${'[0],'.repeat(10_000_000)}0]`, /^tokenizer\.json: line 1, column \d+: .*more than 2000000 values/],
    ['name of 50 MB', WEIGHTS, () => rawSafetensors({ ['x'.repeat(50_000_000)]: {} }), /^model\.safetensors: header: tensor name too long/],
  ];
  for (const [name, file, content, message] of rows) {
    await t.test(name, (t) => {
      const folder = temporaryFolder(t);
      writeTinyCheckpoint(folder);
      writeFileSync(path.join(folder, file), content());
      const { status, stdout } = spawnSync(process.execPath, [OPEN_FOLDER, folder], {
        encoding: 'utf8',
        timeout: 60_000,
      });
      assert.match(stdout, message);
      assert.equal(status, 3);
      assert.ok(Number(/peak (\d+)/.exec(stdout)![1]) < MAX_REJECT_KB, stdout);
    });
  }
});

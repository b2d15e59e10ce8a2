import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { readStateDict } from '../../../formats/pytorch/state-dict.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { InputFile } from '../../../src/io/input-file.ts';
import { logits } from '../../../src/pipeline/logits.ts';
import { tinyTensors, writeTinyCheckpoint, writeTinyConfig } from '../../support/builders/tiny-checkpoint.ts';
import { type TorchForm, weightsOf, writeAsTorch } from '../../support/builders/torch-checkpoint.ts';
import { TORCH_SAVED } from '../../support/builders/torch-saved.ts';
import { fixture } from '../../support/paths.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function openModel(t: TestContext, folder: string): Promise<Model> {
  const model = await openHfFolder(folder);
  t.after(() => closeModel(model));
  return model;
}

async function assertSameWeights(actual: Model, expected: Model): Promise<void> {
  assert.deepEqual([...actual.tensors.keys()], [...expected.tensors.keys()]);
  for (const [name, tensor] of expected.tensors) {
    const other = actual.tensors.get(name)!;
    assert.deepEqual([other.scheme, other.shape], [tensor.scheme, tensor.shape]);
    assert.ok(Buffer.from(await weightsOf(tensor)).equals(await weightsOf(other)), name);
  }
}

async function logitsOf(model: Model): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for await (const row of logits(model, [1, 2, 3, 500])) rows.push(row.slice());
  return rows;
}

for (const [protocol, content] of Object.entries(TORCH_SAVED)) {
  test(`a file of PyTorch, protocol ${protocol}`, async (t) => {
    const name = path.join(temporaryFolder(t), 'pytorch_model.bin');
    writeFileSync(name, content);
    const file = await InputFile.open(name, 'pytorch_model.bin');
    t.after(() => file.close());
    const [a, b, c] = await readStateDict(file);
    assert.deepEqual([a!.name, a!.scheme, a!.shape], ['a', 'BF16', [2, 3]]);
    assert.deepEqual({ ...b, name: 'a' }, a);
    assert.deepEqual([c!.name, c!.scheme, c!.shape], ['c', 'F32', [2, 2]]);
    const halves = [0, 1, 2, 3, 4, 5].map((i) => content.readUInt16LE(a!.offset + 2 * i));
    assert.deepEqual(halves, [0, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0]);
    assert.deepEqual(
      [0, 1, 2, 3].map((i) => content.readFloatLE(c!.offset + 4 * i)),
      [2, 3, 4, 5],
    );
  });
}

test('plm-tiny gives the same tensors and logits', async (t) => {
  const expected = await openModel(t, fixture('plm-tiny'));
  const rows = await logitsOf(expected);
  for (const protocol of [2, 4] as const) {
    const folder = path.join(temporaryFolder(t), 'plm-tiny');
    const shared = { 'lm_head.weight': 'model.embed_tokens.weight' };
    await writeAsTorch(fixture('plm-tiny'), folder, { protocol, shared });
    const model = await openModel(t, folder);
    assert.equal(model.format, 'pytorch');
    await assertSameWeights(model, expected);
    assert.deepEqual(await logitsOf(model), rows);
    const ignored = 'lm_head.weight ignored: it equals model.embed_tokens.weight, to which it is tied';
    assert.deepEqual(model.notes, [...expected.notes, ignored]);
    const file = model.files.find(({ name }) => name === 'pytorch_model.bin')!;
    const content = readFileSync(path.join(folder, file.name));
    assert.equal(await file.sha256(), createHash('sha256').update(content).digest('hex'));
  }
});

test('opens every form', async (t) => {
  const forms: Readonly<Record<string, TorchForm>> = {
    'three shards': { shards: 3 },
    'three shards, protocol 4': { shards: 3, protocol: 4 },
    'all tensors in one storage': { oneStorage: true },
    'sizes in the headers': { archive: { flags: 0 } },
    'sizes and offsets of zip64': { archive: { wide: true } },
    'sizes of zip64 in the headers': { archive: { wide: true, flags: 0 } },
    parameters: { parameters: true },
  };
  const tiny = temporaryFolder(t);
  writeTinyCheckpoint(tiny);
  const expected = await openModel(t, tiny);
  for (const [name, form] of Object.entries(forms)) {
    await t.test(name, async (t) => {
      const folder = temporaryFolder(t);
      await writeAsTorch(tiny, folder, form);
      await assertSameWeights(await openModel(t, folder), expected);
    });
  }
});

test('an untied head may share the storage of the embedding', async (t) => {
  const folder = temporaryFolder(t);
  const tiny = temporaryFolder(t);
  writeTinyCheckpoint(tiny);
  await writeAsTorch(tiny, folder, { shared: { 'lm_head.weight': 'model.embed_tokens.weight' } });
  writeTinyConfig(folder, { tie_word_embeddings: false });
  const { tensors } = await openModel(t, folder);
  assert.equal(tensors.size, tinyTensors().length + 1);
  const [head, embedding] = [tensors.get('lm_head.weight')!, tensors.get('model.embed_tokens.weight')!];
  assert.deepEqual(head.origin, embedding.origin);
});

test('safetensors come first', async (t) => {
  const folder = temporaryFolder(t);
  writeTinyCheckpoint(folder);
  writeFileSync(path.join(folder, 'pytorch_model.bin'), 'not read');
  assert.equal((await openModel(t, folder)).format, 'safetensors');
});

import assert from 'node:assert/strict';
import { copyFileSync, cpSync, mkdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { layoutGguf } from '../../formats/gguf/container/writer.ts';
import { PressError } from '../../src/core/errors.ts';
import { closeModel } from '../../src/core/model.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { writeHollowGguf } from '../support/builders/hollow-gguf.ts';
import { hollowModel, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** A GGUF of two keys and as many tensors of a value. */
function writeGguf(file: string, type: string | undefined, architecture: string, tensors = 1): void {
  const string = (key: string, value: string) => [key, { type: 'string', value }] as const;
  const keys = type === undefined ? [] : [string('general.type', type)];
  const entries = Array.from({ length: tensors }, (_, i) => ({
    name: `t${i}`,
    scheme: 'F32' as const,
    shape: [1],
  }));
  const layout = layoutGguf([string('general.architecture', architecture), ...keys], entries);
  writeFileSync(file, layout.header);
  truncateSync(file, layout.bytes);
}

/** A folder with a PLM as `model.gguf`, or of another name. */
function ggufFolder(t: TestContext, name = 'model.gguf'): string {
  const folder = temporaryFolder(t);
  renameSync(writeHollowGguf(hollowModel(SMALL_PLM, { name: 'small' }), folder), path.join(folder, name));
  return folder;
}

async function nameOf(spec: string): Promise<string> {
  const model = await openSource(spec);
  await closeModel(model);
  return model.name;
}

test('a GGUF among files that come with it is the only model of its folder', async (t) => {
  const folder = ggufFolder(t);
  const file = (name: string) => path.join(folder, name);
  writeGguf(file('imatrix.gguf'), 'imatrix', 'imatrix');
  writeGguf(file('a-importances.gguf'), 'imatrix', 'plm');
  writeGguf(file('mmproj-model.gguf'), 'mmproj', 'clip');
  writeGguf(file('old-projector.gguf'), undefined, 'clip');
  writeGguf(file('lora.gguf'), 'adapter', 'plm');
  writeGguf(file('vocab.gguf'), 'model', 'plm', 0);
  writeFileSync(file('config.json'), '{"model_type": "plm"}');
  writeFileSync(file('._model.gguf'), Uint8Array.of(0, 5, 0x16, 7));
  writeFileSync(file('model.gguf.bak'), 'x');
  assert.equal(await nameOf(folder), 'small');
});

test('two models, or one that cannot be read, are named', async (t) => {
  const folder = ggufFolder(t);
  writeGguf(path.join(folder, 'imatrix.gguf'), 'imatrix', 'imatrix');
  const refused = (names: RegExp) => (error: unknown) =>
    error instanceof PressError && error.failure === 'usage' && names.test(error.message);
  writeFileSync(path.join(folder, 'damaged.gguf'), 'GGUF');
  await assert.rejects(
    openSource(folder),
    refused(/holds 2 models, name one of them: .*damaged\.gguf, .*model\.gguf$/),
  );
  writeGguf(path.join(folder, 'damaged.gguf'), undefined, 'llama');
  await assert.rejects(openSource(folder), refused(/damaged\.gguf, .*model\.gguf$/));
});

test('endings count whatever their case', async (t) => {
  for (const name of ['model.GGUF', 'Model.Gguf']) {
    const folder = ggufFolder(t, name);
    assert.equal(await nameOf(folder), 'small');
    assert.equal(await nameOf(path.join(folder, name)), 'small');
  }
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'MODEL.SAFETENSORS'), '');
  await assert.rejects(openSource(path.join(folder, 'MODEL.SAFETENSORS')), /a part of a checkpoint/);
});

test('a name that is a path is not the name of the model', async (t) => {
  const folder = temporaryFolder(t);
  const model = hollowModel(SMALL_PLM, {
    name: 'small',
    card: { baseModels: ['./base', 'org/base'], datasets: ['~/texts'] },
  });
  const file = writeHollowGguf({ ...model, name: 'home' }, folder);
  const named = path.join(folder, 'tuned.gguf');
  const bytes = writeHollowGguf({ ...model, name: '/a/b' }, path.join(folder, 'other'));
  copyFileSync(bytes, named);
  const opened = await openSource(named);
  t.after(() => closeModel(opened));
  assert.equal(opened.name, 'tuned');
  assert.deepEqual(opened.card.baseModels, ['org/base']);
  assert.equal(opened.card.datasets, undefined);
  assert.equal(await nameOf(file), 'home');
});

test('a checkpoint on a disk of macOS, with a hidden file beside each', async (t) => {
  const folder = path.join(temporaryFolder(t), 'plm-tiny');
  cpSync(fixture('plm-tiny'), folder, { recursive: true });
  for (const name of ['config.json', 'model.safetensors', 'a.gguf', 'a.onnx', 'manifest.json']) {
    writeFileSync(path.join(folder, `._${name}`), Uint8Array.of(0, 5, 0x16, 7));
  }
  mkdirSync(path.join(folder, '__MACOSX'));
  assert.equal(await nameOf(folder), 'plm-tiny');
});

import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { closeModel } from '../../src/core/model.ts';
import { convert } from '../../src/pipeline/convert.ts';
import { planTargets } from '../../src/pipeline/planning/target.ts';
import { MANIFEST_NAME, type Manifest } from '../../src/pipeline/record/manifest.ts';
import { reproduce } from '../../src/pipeline/reproduce.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** A checkpoint and what was made of it. */
async function made(t: TestContext, target: string) {
  const folder = temporaryFolder(t);
  const [source, output] = [path.join(folder, 'plm'), path.join(folder, 'out')];
  writeRandomCheckpoint(source, { config: { ...BLOCKS_OF_32, num_hidden_layers: 1 } });
  const model = await openSource(source);
  try {
    const targets = await planTargets(model, [target]);
    await convert({ model, source, output, targets, threads: 1 });
  } finally {
    await closeModel(model);
  }
  return { folder, source, manifest: path.join(output, MANIFEST_NAME) };
}

describe('reproduce', () => {
  for (const name of ['model.safetensors', 'config.json']) {
    it(`refuses a source whose ${name} has as many bytes and is another one`, async (t) => {
      const { folder, source, manifest } = await made(t, 'gguf:q8_0');
      const other = path.join(folder, 'other');
      cpSync(source, other, { recursive: true });
      const file = path.join(other, name);
      const bytes = readFileSync(file);
      if (name === 'config.json')
        writeFileSync(file, bytes.toString().replace('embeddings":64', 'embeddings":63'));
      else {
        bytes[bytes.length - 2]! ^= 1;
        writeFileSync(file, bytes);
      }
      await assert.rejects(
        reproduce({ manifest, from: other, threads: 1 }),
        pressFailure(
          'verification',
          new RegExp(`^${name}: SHA-256 differs from the record, got "[0-9a-f]{64}", expected [0-9a-f]{64}$`),
        ),
      );
      const [artifact] = await reproduce({ manifest, from: source, threads: 1 });
      assert.equal(artifact!.same, true);
    });
  }

  it('tells files that were not there before', async (t) => {
    const { source, manifest } = await made(t, 'onnx:q8');
    const record: Manifest = JSON.parse(readFileSync(manifest, 'utf8'));
    const name = 'tokenizer_config.json';
    const [artifact] = record.artifacts;
    const files = artifact!.files.filter((file) => file !== name);
    assert.equal(files.length, artifact!.files.length - 1);
    const shorter = {
      ...record,
      files: record.files.filter(({ path: file }) => file !== name),
      artifacts: [{ ...artifact!, files }],
    };
    writeFileSync(manifest, JSON.stringify(shorter));
    const [again] = await reproduce({ manifest, from: source, threads: 1 });
    assert.deepEqual([again!.same, again!.more], [false, [name]]);
    assert.ok(again!.files.every(({ same }) => same));
  });
});

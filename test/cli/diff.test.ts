import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { diff } from '../../src/pipeline/diff.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel, memoryTensor, tensorValues, withTensors } from '../support/builders/memory-model.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');

describe('diff', () => {
  it('of a model and itself finds nothing', async () => {
    const { code, stdout } = await runCli(['diff', TINY, TINY, '--quiet']);
    assert.deepEqual([code, stdout], [0, 'the same\n38 tensors are equal, weight by weight\n']);
    const json = JSON.parse((await runCli(['diff', TINY, TINY, '--json'])).stdout);
    const changes = { a: [], b: [] };
    assert.deepEqual(json, { same: true, fields: [], tensors: [], equalTensors: 38, changes });
  });

  it('tells a tensor of the same scheme in which one weight differs', async () => {
    const a = memoryModel(SMALL_PLM);
    const norm = a.tensors.get('model.norm.weight')!;
    const values = await tensorValues(norm);
    const lost = Math.abs(values[7]!);
    values[7] = 0;
    const b = withTensors(a, memoryTensor(norm.name, norm.shape, values));
    const { same, tensors, equalTensors } = await diff(a, b, { threads: 1 });
    assert.deepEqual([same, tensors.length, equalTensors], [false, 1, a.tensors.size - 1]);
    assert.deepEqual([tensors[0]!.name, tensors[0]!.error!.maxAbs], [norm.name, lost]);
  });

  it('of a checkpoint and its artifact tells schemes and errors', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    await runCli(['convert', TINY, '--to', 'gguf:q8_0', '-o', output, '--quiet']);
    const { fields, tensors, equalTensors } = JSON.parse(
      (await runCli(['diff', TINY, output, '--json'])).stdout,
    );
    const format = fields.find(({ field }: { field: string }) => field === 'format');
    assert.deepEqual(format, { field: 'format', a: 'safetensors', b: 'gguf' });
    assert.deepEqual([tensors.length, equalTensors], [38, 0]);
    const [embedding, norm] = tensors;
    assert.deepEqual(embedding.b, { scheme: 'Q8_0', shape: [2048, 256] });
    assert.ok(embedding.error.relativeRms > 0.005 && embedding.error.relativeRms < 0.008);
    assert.deepEqual([norm.b.scheme, norm.error], ['F32', { relativeRms: 0, maxAbs: 0 }]);
    const { stdout } = await runCli(['diff', TINY, output]);
    assert.match(
      stdout,
      /^model\.embed_tokens\.weight +BF16 2048 x 256 +Q8_0 2048 x 256 +0\.006\d+ +0\.\d+$/m,
    );
    assert.match(stdout, /^38 tensors differ, 0 are equal in scheme and weights$/m);
  });

  it('compares kv_b with its parts, whichever side has them', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    await runCli(['convert', TINY, '--to', 'gguf:bf16', '--gguf-arch', 'deepseek2', '-o', output, '--quiet']);
    for (const sides of [
      [TINY, output],
      [output, TINY],
    ]) {
      const { fields, tensors, equalTensors } = JSON.parse(
        (await runCli(['diff', ...sides, '--json'])).stdout,
      );
      assert.ok(fields.some(({ field }: { field: string }) => field === 'config.kvBForm'));
      // Norms are F32 in GGUF; the 25 matrices of the checkpoint are equal, and kv_b_proj counts as two.
      assert.equal(equalTensors, 25 + 4);
      for (const { name, error } of tensors) {
        assert.match(name, /norm/);
        assert.deepEqual(error, { relativeRms: 0, maxAbs: 0 });
      }
    }
  });

  it('reads what passes have changed from plmpress.json', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const argv = ['convert', TINY, '--to', 'gguf:f32', '-o', output, '--quiet', '--pass'];
    assert.equal((await runCli([...argv, 'scale-ffn'])).code, 0);
    const { changes } = JSON.parse((await runCli(['diff', TINY, output, '--json'])).stdout);
    assert.deepEqual([changes.a.length, changes.b.length], [0, 8]);
    const { stdout } = await runCli(['diff', TINY, output]);
    assert.match(stdout, /^pass of b +changed +from +to$/m);
    assert.match(stdout, /^scale-ffn +model\.layers\.3\.mlp\.down_proj\.weight +W +W diag/m);
  });

  it('names what differs in config and tokenizer, the first of a list', async (t) => {
    const other = path.join(temporaryFolder(t), 'plm-tiny');
    cpSync(TINY, other, { recursive: true });
    const edit = (name: string, change: (json: never) => void) => {
      const json = JSON.parse(readFileSync(path.join(other, name), 'utf8'));
      change(json as never);
      writeFileSync(path.join(other, name), JSON.stringify(json));
    };
    edit('config.json', (config: { rope_theta: number }) => {
      config.rope_theta = 12345;
    });
    edit('tokenizer.json', ({ model }: { model: { merges: unknown[] } }) => {
      [model.merges[3], model.merges[4]] = [model.merges[4], model.merges[3]];
    });
    const { code, stdout } = await runCli(['diff', TINY, other, '--json']);
    assert.equal(code, 0);
    const { same, fields, equalTensors } = JSON.parse(stdout);
    assert.deepEqual([same, equalTensors], [false, 38]);
    assert.deepEqual(
      fields.map(({ field, more }: { field: string; more?: number }) => [field, more]),
      [
        ['config.ropeTheta', undefined],
        ['tokenizer.merges[3]', 1],
      ],
    );
  });
});

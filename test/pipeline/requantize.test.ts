import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { adapterPair, writeAdapter } from '../support/adapter-files.ts';
import { writeRandomCheckpoint } from '../support/random-checkpoint.ts';
import { runCli } from '../support/run-cli.ts';

describe('a quantized source is rounded a second time with --allow-requantize only', () => {
  let folder: string;
  const [artifacts, adapter] = ['out', 'lora'].map((name) => () => path.join(folder, name));

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'plmpress-requantize-'));
    const source = path.join(folder, 'plm');
    writeRandomCheckpoint(source);
    const targets = ['gguf:q8_0', 'webgpu:q8', 'onnx:q4'].flatMap((target) => ['--to', target]);
    const { code, stderr } = await runCli(['convert', source, ...targets, '-o', artifacts!()]);
    assert.equal(code, 0, stderr);
    writeAdapter(adapter!(), adapterPair('model.layers.0.mlp.up_proj', [160, 96]));
  });

  after(() => rmSync(folder, { recursive: true }));

  const gguf = 'plm-Q8_0.gguf';
  const cases: readonly (readonly [name: string, source: string, target: string, argv: () => string[]])[] = [
    ['an adapter', gguf, 'gguf:q8_0', () => ['--adapter', adapter!()]],
    ['an adapter, into halves', gguf, 'gguf:f16', () => ['--adapter', adapter!()]],
    ['a pass that rewrites tensors', gguf, 'gguf:q8_0', () => ['--pass', 'scale-ffn']],
    ['a pass, into a bundle', gguf, 'webgpu:q8', () => ['--pass', 'fold-norms']],
    ['neurons of a bundle, which become rows', 'webgpu-q8', 'gguf:q8_0', () => []],
  ];
  for (const [name, source, target, argv] of cases) {
    it(name, async () => {
      const run = (...more: string[]) =>
        runCli([
          ...['convert', path.join(artifacts!(), source), '--to', target, '--dry-run'],
          ...['-o', path.join(folder, 'again'), ...argv(), ...more],
        ]);
      const { code, stderr } = await run();
      assert.equal(code, 7, stderr);
      assert.match(stderr, /requantizing from Q8_0 to .* adds a second error; --allow-requantize permits it/);
      const allowed = await run('--allow-requantize');
      assert.equal(allowed.code, 0, allowed.stderr);
    });
  }

  it('and without it where the target holds what the values are', async () => {
    const argv = ['convert', path.join(artifacts!(), gguf), '--dry-run', '-o', path.join(folder, 'again')];
    assert.equal((await runCli([...argv, '--to', 'gguf:q8_0'])).code, 0);
  });
});

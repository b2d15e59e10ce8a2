import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { runCli, spawnCli } from '../support/drivers/run-cli.ts';
import { withoutPackage } from '../support/fakes/without-package.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');

async function run(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(argv);
  assert.equal(code, 0, stderr);
  return stdout;
}

async function converted(t: TestContext, ...more: string[]): Promise<string> {
  const output = path.join(temporaryFolder(t), 'out');
  await run('convert', TINY, '-o', output, '--quiet', ...more);
  return output;
}

describe('ONNX on the command line', () => {
  it('convert --verify runs the graph that it has written, and says so of each', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const stdout = await run(
      'convert',
      TINY,
      '--to',
      'onnx:q4',
      '--to',
      'onnx:f32',
      '-o',
      output,
      '--verify',
    );
    assert.match(stdout, /^compared onnx:q4: mean KLD 0\.00\d+ \(no limit\)/m);
    assert.match(stdout, /^verified onnx:f32: mean KLD \S+e-1[234] \(at most 1e-9\), top-1 100\.00 %/m);
    assert.deepEqual(readdirSync(path.join(output, 'onnx')).sort(), [
      'model.onnx',
      'model.onnx_data',
      'model_f32.onnx',
      'model_q4.onnx',
      'model_q4.onnx_data',
    ]);
    const config = JSON.parse(readFileSync(path.join(output, 'config.json'), 'utf8'));
    assert.deepEqual(config['transformers.js_config'].use_external_data_format, {
      'model_q4.onnx': 1,
      'model.onnx': 1,
    });
    for (const name of [
      'tokenizer.json',
      'tokenizer_config.json',
      'generation_config.json',
      'genai_config.json',
    ]) {
      assert.ok(existsSync(path.join(output, name)), name);
    }
    assert.equal(
      readFileSync(path.join(output, 'plm_config.json'), 'utf8'),
      readFileSync(path.join(TINY, 'config.json'), 'utf8'),
    );
  });

  it('the manifest names every file, scheme and byte', async (t) => {
    const output = await converted(t, '--to', 'onnx:q8');
    const { files, artifacts } = JSON.parse(readFileSync(path.join(output, 'plmpress.json'), 'utf8'));
    const [artifact] = artifacts;
    assert.equal(artifact.target, 'onnx:q8');
    assert.deepEqual(artifact.options, { scheme: 'q8' });
    assert.deepEqual(artifact.passes, ['absorb-mla']);
    assert.deepEqual(
      files.map((file: { path: string }) => file.path),
      artifact.files.toSorted(),
    );
    const up = artifact.tensors.find(
      ({ name }: { name: string }) => name === 'model.layers.0.mlp.up_proj.weight',
    );
    assert.deepEqual([up.scheme, up.bytes], ['Q8_0', 1024 * 256 + 4 * 1024]);
    assert.ok(up.error.relativeRms > 0.001 && up.error.relativeRms < 0.02, String(up.error.relativeRms));
  });

  it('verify compares by the graph, in the interpreter and in ONNX Runtime', async (t) => {
    const output = await converted(t, '--to', 'onnx:f16');
    for (const engine of ['builtin', 'onnxruntime']) {
      const spec = path.join(output, 'onnx');
      const result = JSON.parse(
        await run(
          'verify',
          spec,
          '--against',
          TINY,
          '--tokens',
          '64',
          '--engine',
          engine,
          '--json',
          '--quiet',
        ),
      );
      assert.equal(result.passed, true);
      assert.equal(result.engine.name, engine);
      assert.ok(result.engine.tokensPerSecond > 0);
      assert.ok(result.kld.mean > 0 && result.kld.mean < 1e-5, String(result.kld.mean));
    }
  });

  it('verify says where ONNX Runtime is not installed', async (t) => {
    const output = await converted(t, '--to', 'onnx:f16');
    const argv = ['verify', output, '--against', TINY, '--tokens', '8', '--engine', 'onnxruntime', '--quiet'];
    const env = { NODE_OPTIONS: withoutPackage('onnxruntime-node') };
    const { code, stderr } = await spawnCli(argv, undefined, env);
    assert.equal(code, 7, stderr);
    assert.match(
      stderr,
      /error: the engine onnxruntime is not installed, expected the package onnxruntime-node/,
    );
  });

  it('verify fails where a weight, a file or the graph itself is another', async (t) => {
    const output = await converted(t, '--to', 'onnx:q4');
    const data = path.join(output, 'onnx', 'model_q4.onnx_data');
    const bytes = readFileSync(data);
    bytes.fill(0xff, 200_000, 260_000);
    writeFileSync(data, bytes);
    const hash = await runCli(['verify', output, '--against', TINY, '--tokens', '32']);
    assert.equal(hash.code, 6);
    assert.match(hash.stderr, /onnx\/model_q4\.onnx_data: SHA-256 differs from plmpress\.json/);
    rmSync(path.join(output, 'plmpress.json'));
    const weights = await runCli(['verify', output, '--against', TINY, '--tokens', '32']);
    assert.equal(weights.code, 6, weights.stderr);
  });

  it('inspect, generate, diff and a further conversion take an artifact for a source', async (t) => {
    const output = await converted(t, '--to', 'onnx:q4');
    const inspection = JSON.parse(await run('inspect', output, '--json'));
    assert.equal(inspection.format, 'onnx');
    assert.deepEqual(inspection.files[0].name, 'onnx/model_q4.onnx');
    const text = JSON.parse(
      await run(
        'generate',
        output,
        '--prompt',
        'The whale',
        '-n',
        '5',
        '--temperature',
        '0',
        '--json',
        '--quiet',
      ),
    );
    assert.equal(text.ids.length, 5);
    const diff = JSON.parse(await run('diff', output, output, '--json', '--quiet'));
    assert.equal(diff.same, true);
    const again = path.join(temporaryFolder(t), 'again');
    await run('convert', output, '--to', 'onnx:q4', '-o', again, '--quiet');
    for (const name of ['model_q4.onnx_data', 'model_q4.onnx']) {
      const [a, b] = [output, again].map((folder) => readFileSync(path.join(folder, 'onnx', name)));
      if (name.endsWith('data')) assert.ok(a!.equals(b!), name);
    }
  });

  it('the source of a GGUF gives the same weights', async (t) => {
    const gguf = await converted(t, '--to', 'gguf:bf16');
    const fromGguf = path.join(temporaryFolder(t), 'from-gguf');
    await run('convert', gguf, '--to', 'onnx:q4', '-o', fromGguf, '--quiet');
    const [a, b] = [await converted(t, '--to', 'onnx:q4'), fromGguf].map((folder) =>
      readFileSync(path.join(folder, 'onnx', 'model_q4.onnx_data')),
    );
    assert.ok(a!.equals(b!));
  });

  it('--cache expanded, and a pruned model of other widths in every layer', async (t) => {
    const expanded = await converted(t, '--to', 'onnx:f32', '--cache', 'expanded');
    const config = JSON.parse(readFileSync(path.join(expanded, 'config.json'), 'utf8'));
    assert.equal(config.num_key_value_heads, 8);
    assert.ok(!existsSync(path.join(expanded, 'genai_config.json')));
    await run('verify', expanded, '--against', TINY, '--tokens', '64', '--quiet');
  });

  it('a quantized source is not rounded twice unasked', async (t) => {
    const gguf = await converted(t, '--to', 'gguf:q4_k_m');
    const output = path.join(temporaryFolder(t), 'twice');
    const { code, stderr } = await runCli(['convert', gguf, '--to', 'onnx:q4', '-o', output]);
    assert.equal(code, 7);
    assert.match(
      stderr,
      /requantizing from Q6_K to Q8_0 adds a second error; --allow-requantize accepts that/,
    );
    assert.ok(!existsSync(output));
    await run('convert', gguf, '--to', 'onnx:q4', '-o', output, '--allow-requantize', '--quiet');
  });
});

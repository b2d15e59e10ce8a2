import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { adapterPair, writeAdapter } from '../support/builders/adapter-files.ts';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { runCli } from '../support/drivers/run-cli.ts';

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
      assert.match(
        stderr,
        /requantizing from Q8_0 to .* adds a second error; --allow-requantize accepts that/,
      );
      const allowed = await run('--allow-requantize');
      assert.equal(allowed.code, 0, allowed.stderr);
    });
  }

  it('and without it where the target holds what the values are', async () => {
    const argv = ['convert', path.join(artifacts!(), gguf), '--dry-run', '-o', path.join(folder, 'again')];
    assert.equal((await runCli([...argv, '--to', 'gguf:q8_0'])).code, 0);
  });
});

describe('a source that holds kv_b in parts', () => {
  let folder: string;
  const at = (...names: string[]) => path.join(folder, ...names);
  const run = async (...argv: string[]) => {
    const result = await runCli([...argv, '--quiet']);
    assert.equal(result.code, 0, result.stderr);
    return result;
  };
  const SOURCES = ['onnx', 'deepseek2'];

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'plmpress-parts-'));
    writeRandomCheckpoint(at('plm'), { config: { ...BLOCKS_OF_32, qk_nope_head_dim: 32 } });
    // Graphs say whether to sample; a checkpoint may leave it open.
    writeFileSync(at('plm', 'generation_config.json'), '{ "do_sample": false }');
    await run('convert', at('plm'), '--to', 'onnx:f32', '-o', at('onnx'));
    await run('convert', at('plm'), '--to', 'gguf:bf16', '--gguf-arch', 'deepseek2', '-o', at('deepseek2'));
  });

  after(() => rmSync(folder, { recursive: true }));

  /**
   * Converts a source; gives SHA-256 and scheme of every tensor, and those of the GGUF where there is one.
   */
  async function hashes(source: string, argv: readonly string[]): Promise<string[]> {
    const output = at(`${source}-${argv.join('-').replaceAll(':', '-')}`);
    await run('convert', at(source), ...argv, '-o', output);
    const { artifacts, files } = JSON.parse(readFileSync(path.join(output, 'plmpress.json'), 'utf8'));
    const [{ tensors }] = artifacts;
    return [
      ...tensors.map((tensor: Record<string, string>) => `${tensor.name} ${tensor.scheme} ${tensor.sha256}`),
      ...files.filter((file: Record<string, string>) => file.path!.endsWith('.gguf')),
    ].map((entry) => JSON.stringify(entry));
  }

  for (const argv of [
    ['--to', 'gguf:q4_0'],
    ['--to', 'webgpu:q4'],
    ['--to', 'onnx:q8'],
    ['--to', 'onnx:q4', '--cache', 'expanded'],
    ['--to', 'gguf:q8_0', '--gguf-arch', 'deepseek2'],
  ]) {
    it(`gives the bytes of its checkpoint with ${argv.join(' ')}`, async () => {
      const expected = await hashes('plm', argv);
      assert.ok(expected.length >= 20);
      for (const source of SOURCES) assert.deepEqual(await hashes(source, argv), expected, source);
    });
  }

  it('of an ONNX graph: the same blocks in a GGUF and back, and in the same scheme', async () => {
    const types = ['--token-embedding-type', 'q8_0', '--tensor-type', 'attn_[kv]_b=q8_0'];
    await run('convert', at('plm'), '--to', 'onnx:q4', '--to', 'onnx:q8', '-o', at('graphs'));
    const [q4, q8] = ['model_q4.onnx', 'model_quantized.onnx'].map((name) => at('graphs', 'onnx', name));
    const deepseek2 = ['--to', 'gguf:q4_0', '--gguf-arch', 'deepseek2', ...types];
    await run('convert', q4!, ...deepseek2, '-o', at('between'));
    await run('convert', at('between'), '--to', 'onnx:q4', '-o', at('back'));
    await run('convert', q8!, '--to', 'onnx:q8', '-o', at('again'));
    for (const [graph, folder] of [
      [q4!, 'back'],
      [q8!, 'again'],
    ] as const) {
      const same = at(folder, 'onnx', path.basename(graph));
      assert.ok(readFileSync(`${graph}_data`).equals(readFileSync(`${same}_data`)), folder);
    }
  });

  it('is planned for arch plm, and verified', async () => {
    for (const source of SOURCES) {
      const { stdout } = await run('plan', at(source), '--to', 'gguf:q4_k_m', '--json');
      assert.equal(JSON.parse(stdout).targets[0].cache, 'expanded');
    }
    await run('convert', at('onnx'), '--to', 'gguf:f32', '-o', at('verified'), '--verify');
    await run('verify', at('verified'), '--against', at('deepseek2'));
  });

  it('says what keeps kv_b where its parts are blocks, and is right', async () => {
    const [parts, whole] = [at('blocks'), at('whole')];
    await run('convert', at('plm'), '--to', 'gguf:q8_0', '--gguf-arch', 'deepseek2', '-o', parts);
    const argv = ['convert', parts, '--to', 'gguf:q8_0', '--quiet', '-o', whole];
    const { code, stderr } = await runCli(argv);
    assert.equal(code, 7);
    assert.match(
      stderr,
      /blk\.0\.attn_kv_b\.weight": requantizing from Q8_0 to Q8_0 adds a second error; --allow-requantize accepts that, --gguf-arch deepseek2 keeps the blocks of its parts, --tensor-type attn_kv_b=f32 their values\n$/,
    );
    await run(...argv, '--tensor-type', 'attn_kv_b=f32');
    const { tensors } = JSON.parse((await run('diff', parts, whole, '--json')).stdout);
    const errors = tensors.map(({ error }: { error: { maxAbs: number } }) => error.maxAbs);
    assert.ok(errors.length > 0 && errors.every((error: number) => error === 0), String(errors));
    assert.equal((await runCli([...argv, '--gguf-arch', 'deepseek2', '--dry-run'])).code, 0);
  });
});

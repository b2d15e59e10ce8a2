import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { runCli } from '../support/drivers/run-cli.ts';
import { digestsOf, sha256 } from '../support/oracles/digests.ts';
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

describe('WebGPU bundles on the command line', () => {
  it('convert --verify writes a folder per scheme, and shows the names that files have got', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const targets = ['--to', 'webgpu:q4', '--to', 'webgpu:q8'];
    const stdout = await run('convert', TINY, ...targets, '-o', output, '--verify');
    assert.match(stdout, /^webgpu-q4\/w-[0-9a-f]{16}\.bin +2\.31 MB +2,308,096 +4\.5\d +0\.\d+ in model\./m);
    assert.match(stdout, /^compared webgpu:q4: mean KLD 0\.01\d+ \(no limit\)/m);
    assert.match(stdout, /^verified webgpu:q8: mean KLD \d\.\d+e-5 /m);
    assert.deepEqual(readdirSync(output).sort(), ['plmpress.json', 'webgpu-q4', 'webgpu-q8']);
    const manifest = JSON.parse(readFileSync(path.join(output, 'plmpress.json'), 'utf8'));
    for (const file of manifest.files) assert.equal(sha256(path.join(output, file.path)), file.sha256);
    const [q4] = manifest.artifacts;
    assert.deepEqual([q4.target, q4.options], ['webgpu:q4', { scheme: 'q4' }]);
    assert.equal(q4.files[0], 'webgpu-q4/manifest.json');
  });

  it('a second run replaces only with --force, and gives the same bytes', async (t) => {
    const output = await converted(t, '--to', 'webgpu:q4', '--threads', '1');
    const before = digestsOf(path.join(output, 'webgpu-q4'));
    const again = ['convert', TINY, '--to', 'webgpu:q4', '-o', output, '--quiet', '--threads', '2'];
    const refused = await runCli(again);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /manifest\.json: exists already in \S+\/webgpu-q4; --force replaces it/);
    await run(...again, '--force');
    assert.deepEqual(digestsOf(path.join(output, 'webgpu-q4')), before);
  });

  it('a bundle is inspected, compared and generated from, and becomes another artifact', async (t) => {
    const output = await converted(t, '--to', 'webgpu:f16');
    const bundle = path.join(output, 'webgpu-f16');
    assert.match(await run('inspect', bundle), /^ {2}format +webgpu, 4 files$/m);
    const verified = await run('verify', bundle, '--against', TINY, '--json');
    assert.equal(JSON.parse(verified).passed, true);
    const greedy = ['--prompt', 'Call me', '--tokens', '8', '--temperature', '0', '--json'];
    const [ours, theirs] = [await run('generate', bundle, ...greedy), await run('generate', TINY, ...greedy)];
    assert.equal(JSON.parse(ours).text, JSON.parse(theirs).text);
    await run('convert', bundle, '--to', 'gguf:f16', '-o', path.join(output, 'gguf'), '--quiet');
    const source = ['--against', TINY, '--json'];
    const gguf = readdirSync(path.join(output, 'gguf')).find((name) => name.endsWith('.gguf'))!;
    assert.equal(JSON.parse(await run('verify', path.join(output, 'gguf', gguf), ...source)).passed, true);
  });

  it('verify finds the file that is not as it was written', async (t) => {
    const output = await converted(t, '--to', 'webgpu:q4');
    rmSync(path.join(output, 'plmpress.json'));
    const bundle = path.join(output, 'webgpu-q4');
    const runtime = path.join(bundle, 'runtime.js');
    writeFileSync(runtime, readFileSync(runtime, 'utf8').replace(/^./, '/'));
    const { code, stderr } = await runCli(['verify', bundle, '--against', TINY, '--quiet']);
    assert.equal(code, 6);
    assert.match(stderr, /webgpu-q4\/runtime\.js: SHA-256 differs from manifest\.json/);
  });

  it('exceptions of --tensor-type have the names of bundles', async (t) => {
    const exceptions = ['--token-embedding-type', 'q8', '--tensor-type', 'kv_b_proj=F16'];
    const output = await converted(t, '--to', 'webgpu:q4', ...exceptions);
    const { tensors } = JSON.parse(readFileSync(path.join(output, 'webgpu-q4', 'manifest.json'), 'utf8'));
    assert.deepEqual(
      [tensors[0].scheme, tensors.find(({ name }: { name: string }) => name.includes('kv_b_proj')).scheme],
      ['q8', 'f16'],
    );
  });

  it('plan keeps the latent in f16', async () => {
    const plan = JSON.parse(await run('plan', TINY, '--to', 'webgpu:q4', '--json'));
    const [q4] = plan.targets;
    assert.deepEqual([q4.cache, q4.kvBytesPerToken], ['latent', 2 * 4 * (256 + 16)]);
    const dry = JSON.parse(await run('convert', TINY, '--to', 'webgpu:q4', '-o', 'x', '--dry-run', '--json'));
    const bytes = dry.files.reduce((sum: number, file: { bytes: number }) => sum + file.bytes, 0);
    assert.equal(q4.fileBytes, bytes);
  });
});

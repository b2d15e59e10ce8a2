import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs, { mkdirSync, writeFileSync } from 'node:fs';
import Module from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { Check } from '../../src/pipeline/doctor/check.ts';
import { checkFolder } from '../../src/pipeline/doctor/disk.ts';
import { checkDawn, checkOnnxRuntime } from '../../src/pipeline/doctor/engines.ts';
import { checkKernels } from '../../src/pipeline/doctor/kernels.ts';
import { checkMemory, checkNode } from '../../src/pipeline/doctor/machine.ts';
import { NO_DAWN } from '../support/drivers/dawn.ts';
import { BINARY, type CliWorld, runCli, spawnCli } from '../support/drivers/run-cli.ts';
import { HubServer, TOKEN } from '../support/fakes/hub-server.ts';
import { setBuiltin } from '../support/fakes/set-builtin.ts';
import { setEnvironment } from '../support/fakes/set-environment.ts';
import { SWIFTSHADER } from '../support/oracles/onnxruntime.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const NAMES = [
  ...['system', 'processor', 'memory', 'Node.js', 'WebAssembly', 'disk', 'Hub', 'Hub token', 'Hub cache'],
  ...['onnxruntime-node', 'webgpu', 'output'],
];

const notLinux = process.platform === 'linux' ? false : 'limits of address space are those of Linux';

async function examined(argv: readonly string[], world: CliWorld) {
  const { code, stdout, stderr } = await runCli(['doctor', '--json', ...argv], world);
  const checks = JSON.parse(stdout).checks as Check[];
  const find = (name: string) => checks.find((check) => check.name === name);
  return { code, checks, find, text: stdout + stderr };
}

describe('plmpress doctor', () => {
  it('says a line a check, and what to do about what is not ok', async (t) => {
    const env = { HOME: temporaryFolder(t) };
    const { code, stdout } = await runCli(['doctor'], { env });
    assert.equal(code, 0);
    for (const name of NAMES) assert.match(stdout, new RegExp(`^(ok|note) +${name} +\\S`, 'm'));
    assert.match(stdout, /^note +Hub token +none\n +set HF_TOKEN/m);
    assert.match(stdout, /^ok +output +not a terminal.* without colours/m);
    assert.match((await runCli(['doctor'], { env, tty: true })).stdout, /a terminal, with colours/);

    const { checks, find } = await examined([], { env });
    assert.deepEqual(
      checks.map(({ name }) => name),
      NAMES,
    );
    for (const { state, advice } of checks) assert.equal(advice !== undefined, state !== 'ok');
    assert.match(find('WebAssembly')!.found, /SIMD, shared memory and threads/);
    assert.match(find('Node.js')!.found, new RegExp(`^${process.versions.node}, `));
  });

  it('shows neither token nor home folder nor the name of the machine', async (t) => {
    const server = await HubServer.start(t);
    const home = temporaryFolder(t);
    mkdirSync(path.join(home, '.cache', 'huggingface'), { recursive: true });
    writeFileSync(path.join(home, '.cache', 'huggingface', 'token'), TOKEN);
    const env = { HOME: home, HF_ENDPOINT: server.endpoint };
    const { code, find, text } = await examined(['--online'], { env });
    assert.equal(code, 0);
    assert.equal(find('Hub token')!.found, 'found');
    assert.equal(find('Hub answer')!.found, 'answers and accepts the token');
    assert.match(find('Hub cache')!.found, /^~\/\.cache\/huggingface\/hub, /);
    for (const secret of [TOKEN, home, os.homedir()]) assert.ok(!text.includes(secret), secret);
    assert.doesNotMatch(text, new RegExp(`\\b${os.hostname()}\\b`));
    assert.deepEqual(
      server.seen.map(({ url }) => url),
      ['/api/whoami-v2'],
    );
  });

  it('asks the Hub only where it is told to', async (t) => {
    const server = await HubServer.start(t);
    const env = server.env(temporaryFolder(t));
    await examined([], { env });
    const offline = await examined(['--online'], { env: { ...env, HF_HUB_OFFLINE: '1' } });
    assert.equal(offline.find('Hub')!.state, 'note');
    assert.equal(offline.find('Hub answer')!.found, 'not checked');
    assert.equal(server.seen.length, 0);

    const { HF_TOKEN: _, ...nobody } = env;
    const answered = await examined(['--online'], { env: nobody });
    assert.deepEqual([answered.code, answered.find('Hub answer')!.found], [0, 'answers']);
    const refused = await examined(['--online'], { env: { ...env, HF_TOKEN: 'hf_anotherToken' } });
    assert.deepEqual([refused.code, refused.find('Hub answer')!.found], [5, 'rejects the token']);
  });

  it('ends with the code of the problem that it finds first', async (t) => {
    const env = { HOME: temporaryFolder(t) };
    const wrong = await examined([], { env: { ...env, HF_ENDPOINT: 'nowhere' } });
    assert.equal(wrong.code, 2);
    assert.deepEqual(wrong.find('Hub'), {
      name: 'Hub',
      state: 'problem',
      failure: 'usage',
      found: 'HF_ENDPOINT is not an address of a server, expected https://huggingface.co',
      advice: 'set the variable right, or unset it',
    });
    const away = await examined(['--online'], { env: { ...env, HF_ENDPOINT: 'http://127.0.0.1:9' } });
    assert.deepEqual([away.code, away.find('Hub answer')!.failure], [5, 'network']);
  });

  it('finds a limit of address space, within which no kernel can run', { skip: notLinux }, (t) => {
    // Below one Node itself does not start, above one kernels run: where both lie differs by version. Reports
    // of coverage would need memory of their own.
    const env = { ...process.env, NODE_V8_COVERAGE: undefined };
    for (let gigabytes = 1; ; gigabytes += 0.5) {
      const script = `ulimit -v ${gigabytes * 1e6}; exec "$0" "$1" doctor --json`;
      const argv = ['--norc', '-c', script, process.execPath, BINARY];
      const { status, stdout } = spawnSync('bash', argv, { encoding: 'utf8', env });
      if (!stdout.endsWith('}\n')) continue;
      const checks = JSON.parse(stdout).checks as Check[];
      const { state, failure } = checks.find(({ name }) => name === 'WebAssembly')!;
      if (state === 'ok') return t.skip('kernels take no more than this Node itself');
      return assert.deepEqual([status, state, failure], [4, 'problem', 'local-io']);
    }
  });

  it('compares versions of Node.js by number', () => {
    for (const version of ['20.19.0', '20.20.2', '22.2.0', '100.0.0'])
      assert.equal(checkNode(version).state, 'ok', version);
    for (const version of ['18.20.8', '20.9.0', '20.18.3', '9.30.0'])
      assert.deepEqual([checkNode(version).state, checkNode(version).failure], ['problem', 'unsupported']);
  });

  it('looks at the folder above one that is not there yet', async (t) => {
    const folder = temporaryFolder(t);
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    const { found } = await checkFolder('disk', path.join(folder, 'a', 'b'), 'here');
    assert.match(found, /^here, [\d.]+ [kMGT]?B free$/);
    assert.deepEqual(await checkFolder('disk', path.join(file, 'a'), 'here'), {
      name: 'disk',
      state: 'note',
      found: 'here, cannot be written (ENOTDIR)',
      advice: 'choose a folder that you may write to',
    });
  });

  it('tells of a full disk, little memory and a processor without SIMD', async (t) => {
    const space = { blocks: 1e6, bavail: 1e6, bsize: 4096 };
    setBuiltin(t, fs.promises, 'statfs', (async () => space) as unknown as typeof fs.promises.statfs);
    assert.deepEqual(await checkFolder('disk', os.tmpdir(), 'here'), {
      name: 'disk',
      state: 'note',
      found: 'here, 4.10 GB free',
      advice: 'PLM-1.8B and an artifact take 5.00 GB: make room',
    });
    t.mock.method(process, 'availableMemory', () => 1e8);
    const memory = checkMemory();
    assert.equal(memory.state, 'note');
    assert.match(memory.found, /^100 MB free of /);
    t.mock.method(WebAssembly, 'validate', () => false);
    const kernels = await checkKernels();
    assert.deepEqual([kernels.state, kernels.failure], ['problem', 'unsupported']);
    assert.match(kernels.found, /^WebAssembly has no SIMD here, expected /);
  });

  it('tells the GPU by its name, or that there is none', { skip: NO_DAWN }, async (t) => {
    // Dawn looks for GPUs once a process.
    for (const [icd, state, found] of [
      [SWIFTSHADER, 'ok', /^\d+\.\d+\.\d+, GPU .*SwiftShader/],
      [path.join(temporaryFolder(t), 'none'), 'note', /, no GPU: Dawn finds no adapter$/],
    ] as const) {
      const { stdout, stderr } = await spawnCli(['doctor', '--json'], undefined, {
        VK_ICD_FILENAMES: icd,
        XDG_RUNTIME_DIR: '/nowhere',
      });
      assert.equal(stderr, '', 'drivers say what they please');
      const check = (JSON.parse(stdout).checks as Check[]).find(({ name }) => name === 'webgpu')!;
      assert.equal(check.state, state);
      assert.match(check.found, found);
    }
  });

  it('notes an engine that ends its process, and goes on', { skip: NO_DAWN }, async (t) => {
    setEnvironment(t, { NODE_OPTIONS: '--import=data:text/javascript,process.abort()' });
    const { state, found } = await checkDawn();
    assert.deepEqual([state, found.replace(/^[\d.]+/, '0')], ['note', '0, crashes its process (SIGABRT)']);
  });

  it('notes engines that are not installed', async (t) => {
    t.mock.method(Module as unknown as { _resolveFilename(): string }, '_resolveFilename', () => {
      throw new Error('not found');
    });
    for (const [check, name] of [
      [checkOnnxRuntime, 'onnxruntime-node'],
      [checkDawn, 'webgpu'],
    ] as const) {
      const { state, found, advice } = await check();
      assert.deepEqual([state, found], ['note', 'not installed']);
      assert.match(advice!, new RegExp(`: \`npm install ${name}\` beside plmpress$`));
    }
  });
});

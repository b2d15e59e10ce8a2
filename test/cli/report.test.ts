import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { VERSION } from '../../src/pipeline/version.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { fixture, repoRoot } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');
const EVAL = fixture('text', 'eval.txt');

async function artifact(t: TestContext): Promise<string> {
  const output = path.join(temporaryFolder(t), 'out');
  const { code, stderr } = await runCli(['convert', TINY, '--to', 'gguf:q8_0', '-o', output, '--quiet']);
  assert.equal(code, 0, stderr);
  return output;
}

const verify = (folder: string, ...more: string[]) =>
  runCli(['verify', folder, '--against', TINY, '--text', EVAL, '--tokens', '300', ...more]);

describe('verify --report', () => {
  it('writes a page and Markdown of one run, the same bytes again', async (t) => {
    const folder = await artifact(t);
    const [page, markdown] = [path.join(folder, 'a.html'), path.join(folder, 'a.md')];
    const { code, stderr } = await verify(folder, '--report', page, '--report', markdown, '--quiet');
    assert.deepEqual([code, stderr], [0, '']);
    const [first, second] = [readFileSync(page, 'utf8'), readFileSync(markdown, 'utf8')];
    for (const text of [first, second]) {
      assert.match(text, /plm-tiny as gguf:q8_0/);
      assert.match(text, /model\.safetensors, 8,170,080 bytes, SHA-256 [0-9a-f]{64}/);
      assert.match(text, /plm-tiny-Q8_0\.gguf, [\d,]+ bytes, SHA-256 [0-9a-f]{64}/);
      assert.match(text, /eval\.txt, 65,505 bytes, SHA-256 [0-9a-f]{64}/);
      assert.ok(text.includes(`plmpress ${VERSION}`));
      for (const secret of [repoRoot, folder, '/tmp', process.env.HOSTNAME || repoRoot])
        assert.ok(!text.includes(secret), secret);
    }
    const threads = await verify(folder, '--report', page, '--report', markdown, '--force', '--threads', '1');
    assert.equal(threads.code, 0, threads.stderr);
    assert.equal(readFileSync(page, 'utf8'), first);
    assert.equal(readFileSync(markdown, 'utf8'), second);
  });

  it('refuses a file that is there, before it reads the models, and an input in any case', async (t) => {
    const folder = await artifact(t);
    const file = path.join(folder, 'notes.md');
    writeFileSync(file, 'mine');
    const { code, stderr } = await verify(folder, '--report', file);
    assert.equal(code, 4);
    assert.match(stderr, /^plmpress: error: notes\.md: exists already in \S+\/out; --force replaces it$/m);
    assert.doesNotMatch(stderr, /compare/);
    const input = await verify(folder, '--text', file, '--report', file, '--force');
    assert.equal(input.code, 4);
    assert.match(input.stderr, /notes\.md: is an input of this run in \S+ and is never replaced/);
    assert.equal(readFileSync(file, 'utf8'), 'mine');
  });

  it('is written of what fails, too', async (t) => {
    const folder = await artifact(t);
    const file = path.join(folder, 'report.md');
    const { code } = await verify(folder, '--max-kld', '1e-9', '--report', file, '--quiet');
    assert.equal(code, 6);
    assert.match(readFileSync(file, 'utf8'), /\*\*failed\*\*[^\n]*\n\n- mean KLD, got /);
  });

  it('takes a model of hostile words', async (t) => {
    const folder = path.join(temporaryFolder(t), '<b onclick=alert(1)>');
    cpSync(TINY, folder, { recursive: true });
    const text = path.join(path.dirname(folder), '"><script>alert(1)<\u{2f}script>.txt'.replace('/', '∕'));
    writeFileSync(text, '</script><img src=x onerror=alert(1)> \u202e & "quotes" '.repeat(20));
    const file = path.join(path.dirname(folder), 'report.html');
    const { code, stderr } = await runCli([
      ...['verify', folder, '--against', TINY, '--text', text, '--report', file, '--quiet'],
    ]);
    assert.equal(code, 0, stderr);
    const page = readFileSync(file, 'utf8');
    assert.doesNotMatch(page, /<b onclick|<script|<img|\u202e/);
    assert.match(page, /&lt;b onclick=alert\(1\)&gt;/);
  });

  it('--json tells the worst positions and who fires, and not every position', async (t) => {
    const { stdout } = await verify(await artifact(t), '--json', '--quiet');
    const { worst, firing, positions, contextLength, tensors } = JSON.parse(stdout);
    assert.equal(positions, undefined);
    assert.equal(contextLength, 256);
    assert.equal(worst.length, 10);
    assert.deepEqual(Object.keys(worst[0]).sort(), [
      ...['artifact', 'index', 'kld', 'next', 'position', 'reference', 'text', 'window'],
    ]);
    assert.deepEqual([firing.reference.length, firing.artifact.length], [4, 4]);
    for (const rate of firing.artifact) assert.ok(rate > 0 && rate < 1);
    assert.ok(tensors.every((tensor: { role: string; bytes: number }) => tensor.role && tensor.bytes > 0));
  });
});

describe('reports of other commands', () => {
  it('convert refuses the name of a file that a target writes', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const { code, stderr } = await runCli([
      ...['convert', TINY, '--to', 'webgpu:q4', '-o', output, '--verify', '--force'],
      ...['--report', path.join(output, 'webgpu-q4', 'index.html')],
    ]);
    assert.equal(code, 2);
    assert.match(stderr, /--report and webgpu:q4 both write/);
    assert.ok(!existsSync(output));
  });

  it('convert --verify writes one section per target', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const file = path.join(output, 'report.html');
    const convert = (...more: string[]) =>
      runCli(['convert', TINY, '--to', 'gguf:q8_0', '--to', 'onnx:q4', '-o', output, '--quiet', ...more]);
    const { code, stderr } = await convert('--verify', '--report', file);
    assert.equal(code, 0, stderr);
    const page = readFileSync(file, 'utf8');
    assert.equal(page.match(/<main>|<section>/g)!.length, 3);
    assert.match(page, /plm-tiny as gguf:q8_0/);
    assert.match(page, /The engine of the artifact does not report it/);
  });

  it('convert has none without --verify', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const { code, stderr } = await runCli([
      ...['convert', TINY, '--to', 'gguf:q8_0', '-o', output, '--report', 'x.html'],
    ]);
    assert.equal(code, 2);
    assert.match(stderr, /--report does nothing without --verify/);
    assert.ok(!existsSync(output));
  });

  it('sweep writes its sizes', async (t) => {
    const folder = temporaryFolder(t);
    const text = path.join(folder, 'text.txt');
    writeFileSync(text, readFileSync(EVAL, 'utf8').slice(0, 600));
    const file = path.join(folder, 'sweep.html');
    const { code, stderr } = await runCli([
      ...['sweep', TINY, '--to', 'gguf:q4_k_m', '--quality', 'fast', '--sizes', '70%,2400000'],
      ...['--text', text, '--report', file, '--quiet'],
    ]);
    assert.equal(code, 0, stderr);
    const page = readFileSync(file, 'utf8');
    assert.match(page, /Sizes of gguf:q4_k_m/);
    assert.equal(page.match(/<circle/g)!.length, 2);
    assert.match(page, /text\.txt, 600 bytes/);
  });
});

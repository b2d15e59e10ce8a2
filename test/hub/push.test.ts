import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { runCli } from '../support/drivers/run-cli.ts';
import type { HubServerOptions } from '../support/fakes/hub-server.ts';
import { HubServer, sendJson, sha256, TOKEN } from '../support/fakes/hub-server.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const REPOSITORY = 'me/plm-tiny-pressed';

/** Artifacts of every format, written once. */
let artifacts = '';
const cleanups: (() => void)[] = [];

before(async () => {
  artifacts = temporaryFolder({ after: (clean) => cleanups.push(clean as () => void) });
  const targets = ['gguf:q4_k_m', 'onnx:q4', 'webgpu:q4'].flatMap((target) => ['--to', target]);
  const { code, stderr } = await runCli([
    'convert',
    fixture('plm-tiny'),
    ...targets,
    '-o',
    artifacts,
    '--verify',
  ]);
  assert.equal(code, 0, stderr);
});
after(() => {
  for (const clean of cleanups) clean();
});

async function start(t: TestContext, options: HubServerOptions = {}) {
  const server = await HubServer.start(t, options);
  const home = temporaryFolder(t);
  const folder = temporaryFolder(t);
  cpSync(artifacts, folder, { recursive: true });
  const push = (...flags: string[]) =>
    runCli(['push', folder, '--repo', REPOSITORY, ...flags], { env: server.env(home) });
  return { server, home, folder, push };
}

function localFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .sort();
}

function assertPushed(server: HubServer, folder: string): void {
  const there = server.files(REPOSITORY);
  const names = localFiles(folder);
  assert.deepEqual([...there.keys()].sort(), ['.gitattributes', 'README.md', ...names].sort());
  for (const name of names) assert.deepEqual(there.get(name), readFileSync(path.join(folder, name)), name);
}

describe('push', () => {
  for (const transfer of ['basic', 'multipart'] as const) {
    it(`puts all into a new repository in one commit (${transfer})`, async (t) => {
      const { server, folder, push } = await start(t, { transfer });
      const { code, stdout, stderr } = await push('--create', 'public', '--json');
      assert.equal(code, 0, stderr);
      assertPushed(server, folder);
      const { upload, message } = JSON.parse(stdout);
      assert.equal(upload.commit, server.head(REPOSITORY));
      assert.match(message, /^Add gguf:q4_k_m, onnx:q4, webgpu:q4, made by plmpress/);
      assert.equal(server.seen.filter(({ url }) => url.includes('/commit/')).length, 1);
      const parts = server.seen.filter(({ method, server: where }) => method === 'PUT' && where === 'store');
      assert.ok(transfer === 'basic' ? parts.length < 10 : parts.length > 10);
    });
  }

  it('speaks xet where the Hub offers it', async (t) => {
    const { server, folder, push } = await start(t, { transfer: 'xet' });
    const large = localFiles(folder).filter((name) => /\.(gguf|onnx|bin|onnx_data)$/.test(name));
    const shards: Buffer[] = [];
    let xorbBytes = 0;
    server.onXet = (url, body) => {
      if (url.includes('/xorbs/')) xorbBytes += body.length;
      else shards.push(body);
      // Put together as xet would do it, by the hashes that shards name.
      for (const name of large) {
        const content = readFileSync(path.join(folder, name));
        if (shards.some((shard) => shard.includes(Buffer.from(xetOrder(sha256(content)), 'hex'))))
          server.hold(content);
      }
    };
    const { code, stderr } = await push('--create', 'public');
    assert.equal(code, 0, stderr);
    assertPushed(server, folder);
    assert.ok(xorbBytes > 1_000_000);
    const leaks = server.seen.filter(
      (request) => request.server === 'store' && JSON.stringify(request).includes(TOKEN),
    );
    assert.deepEqual(leaks, []);
  });

  it('commits nothing the second time, and only what is new the third', async (t) => {
    const { server, folder, push } = await start(t);
    await push('--create', 'public');
    const head = server.head(REPOSITORY);
    const again = await push('--create', 'public');
    assert.deepEqual([again.code, server.head(REPOSITORY)], [0, head]);
    assert.match(again.stdout, /already has all files/);
    server.seen.length = 0;
    const convert = ['convert', fixture('plm-tiny'), '--to', 'gguf:q8_0', '-o', folder];
    assert.equal((await runCli(convert)).code, 0);
    const { stdout } = await push('--json');
    const changed = JSON.parse(stdout).upload.changed.map((file: { path: string }) => file.path);
    assert.deepEqual(changed.sort(), ['README.md', 'plm-tiny-Q8_0.gguf', 'plmpress.json']);
    assertPushed(server, folder);
  });

  it('goes on after an interruption: what the Hub has is not sent again', async (t) => {
    const { server, folder, push } = await start(t);
    server.commit(REPOSITORY, { '.gitattributes': '' });
    const head = server.head(REPOSITORY);
    let refused = 0;
    server.misbehaviours.push(({ url }, response) => {
      if (!url.includes('/commit/')) return false;
      refused++;
      sendJson(response, 500, { error: 'database' });
      return true;
    });
    const failed = await push();
    assert.deepEqual(
      [failed.code, refused, server.head(REPOSITORY)],
      [5, 1, head],
      'a commit is not made twice',
    );
    assert.match(failed.stderr, /error: me\/plm-tiny-pressed: the server failed \(500\)/);
    server.misbehaviours.length = 0;
    server.seen.length = 0;
    assert.equal((await push()).code, 0);
    assert.deepEqual(
      server.seen.filter(({ method }) => method === 'PUT'),
      [],
    );
    assertPushed(server, folder);
  });

  it('puts artifacts there that open and verify from there', async (t) => {
    const { server, home, push } = await start(t);
    await push('--create', 'public');
    const env = server.env(home);
    for (const [file, format] of [
      ['plm-tiny-Q4_K_M.gguf', 'gguf'],
      ['onnx/model_q4.onnx', 'onnx'],
      ['webgpu-q4', 'webgpu'],
    ]) {
      const { code, stdout, stderr } = await runCli(['inspect', `hf://${REPOSITORY}/${file}`, '--json'], {
        env,
      });
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).format, format);
    }
    const artifact = `hf://${REPOSITORY}/plm-tiny-Q4_K_M.gguf`;
    const verify = ['verify', artifact, '--against', fixture('plm-tiny'), '--tokens', '64'];
    const { code, stdout, stderr } = await runCli(verify, { env });
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /^compared over 64 tokens: the KLD has no limit; tensors, hyperparameters and tokenizer pass$/m,
    );
  });

  it('opens a pull request with --pr', async (t) => {
    const { server, push } = await start(t);
    const head = server.commit(REPOSITORY, { '.gitattributes': '' });
    const { code, stdout } = await push('--pr', '--json');
    assert.equal(code, 0);
    assert.equal(server.head(REPOSITORY), head);
    assert.match(JSON.parse(stdout).upload.pullRequestUrl, /\/discussions\/1$/);
    assert.ok(server.files(REPOSITORY, 'refs/pr/1').has('plm-tiny-Q4_K_M.gguf'));
  });

  it('shows the commit and the card in a dry run, and changes nothing', async (t) => {
    const { server, push } = await start(t);
    const { code, stdout, stderr } = await push('--create', 'private', '--pr', '--dry-run');
    assert.equal(code, 0);
    assert.match(stderr, /^plmpress: --pr does nothing with --dry-run$/m);
    assert.match(stdout, /would commit \d+ files of .* to me\/plm-tiny-pressed@main: Add gguf:q4_k_m/);
    assert.match(stdout, /\| \[plm-tiny-Q4_K_M\.gguf\]/);
    assert.ok(!server.has(REPOSITORY));
    assert.deepEqual(
      server.seen.filter(({ method }) => method !== 'GET'),
      [],
    );
  });
});

describe('push refuses', () => {
  it('artifacts that are not as they were written', async (t) => {
    const { server, folder, push } = await start(t);
    const file = path.join(folder, 'plm-tiny-Q4_K_M.gguf');
    const damaged = readFileSync(file);
    damaged[100_000]! ^= 1;
    writeFileSync(file, damaged);
    const { code, stderr } = await push('--create', 'public');
    assert.equal(code, 6);
    assert.match(stderr, /plm-tiny-Q4_K_M\.gguf: SHA-256 differs from plmpress\.json/);
    assert.deepEqual(server.seen, []);
  });

  it('a folder without a record, and one that lacks a file', async (t) => {
    const { folder, push } = await start(t);
    rmSync(path.join(folder, 'plm-tiny-Q4_K_M.gguf'));
    assert.match((await push()).stderr, /plm-tiny-Q4_K_M\.gguf: is missing, and plmpress\.json names it$/m);
    rmSync(path.join(folder, 'plmpress.json'));
    const { code, stderr } = await push();
    assert.equal(code, 4);
    assert.match(stderr, /contains no plmpress\.json: push uploads a folder that convert has written/);
  });

  /** Files that no artifact can have, which a record lists with their right hashes. */
  const strangers: readonly [name: string, message: RegExp][] = [
    ...[
      '.env',
      '.git/config',
      'key.pem',
      'id_rsa',
      'notes.txt',
      'sub/x.gguf',
      '.x.gguf',
      'credentials.json',
    ].map((name): [string, RegExp] => [
      name,
      /artifacts of gguf have no such file, so it is not sent, got "/,
    ]),
    ...['../x.gguf', '/etc/passwd', 'a//b', 'C:x.gguf'].map((name): [string, RegExp] => [
      name,
      /a path inside the folder$/m,
    ]),
    ['link.gguf', /link\.gguf: symbolic link that leads out of the folder$/m],
  ];
  it('to send what no artifact has, whatever the record says', async (t) => {
    const { server, folder, push } = await start(t);
    const secret = 'SECRET=1';
    const outside = path.join(temporaryFolder(t), 'secret');
    writeFileSync(outside, secret);
    symlinkSync(outside, path.join(folder, 'link.gguf'));
    const file = path.join(folder, 'plmpress.json');
    const text = readFileSync(file, 'utf8');
    for (const [name, message] of strangers) {
      const at = path.resolve(folder, name);
      if (at.startsWith(folder) && !name.includes(':') && name !== 'link.gguf') {
        mkdirSync(path.dirname(at), { recursive: true });
        writeFileSync(at, secret);
      }
      const record = JSON.parse(text);
      record.files.push({ path: name, bytes: secret.length, sha256: sha256(Buffer.from(secret)) });
      record.artifacts.find(({ target }: { target: string }) => target.startsWith('gguf:')).files.push(name);
      writeFileSync(file, JSON.stringify(record));
      const { code, stdout, stderr } = await push('--create', 'public');
      assert.deepEqual([code, stdout], [3, ''], stderr);
      assert.match(stderr, message);
      assert.deepEqual(server.seen, []);
    }
  });

  it('to write without a token, into what is missing, and over what has changed meanwhile', async (t) => {
    const { server, home, folder, push } = await start(t);
    const env = { ...server.env(home), HF_TOKEN: '' };
    server.commit(REPOSITORY, { '.gitattributes': '' });
    const anonymous = await runCli(['push', folder, '--repo', REPOSITORY], { env });
    assert.deepEqual([anonymous.code, /needs a token that may write/.test(anonymous.stderr)], [5, true]);
    const missing = await runCli(['push', folder, '--repo', 'me/nothing'], { env: server.env(home) });
    assert.deepEqual([missing.code, /me\/nothing@main: is not on the Hub/.test(missing.stderr)], [5, true]);
    server.misbehaviours.push(({ url }) => {
      if (url.includes('/info/lfs/')) server.commit(REPOSITORY, { 'by-another.txt': 'x' });
      return false;
    });
    const late = await push();
    assert.equal(late.code, 5);
    assert.match(late.stderr, /me\/plm-tiny-pressed: has changed in the meantime \(412\)/);
    assert.deepEqual([...server.files(REPOSITORY).keys()], ['by-another.txt']);
  });

  it('an answer to an upload that is none', async (t) => {
    const { server, push } = await start(t);
    server.commit(REPOSITORY, { '.gitattributes': '' });
    server.misbehaviours.push(({ url }, response) => {
      if (!url.includes('/info/lfs/')) return false;
      const actions = { upload: { href: server.store } };
      sendJson(response, 200, { transfer: 'basic', objects: [{ oid: '0'.repeat(64), size: 1, actions }] });
      return true;
    });
    const { code, stderr } = await push();
    assert.equal(code, 5, stderr);
    assert.match(
      stderr,
      /error: me\/plm-tiny-pressed: the upload fails: Unrequested object ID in response$/m,
    );
  });

  it('to believe a Hub that keeps something else', async (t) => {
    const { server, push } = await start(t);
    server.commit(REPOSITORY, { '.gitattributes': '' });
    server.misbehaviours.push(({ url }, response) => {
      if (!url.includes('/commit/')) return false;
      const commitOid = server.commit(REPOSITORY, { 'README.md': 'lost' });
      sendJson(response, 200, { commitOid, commitUrl: 'x', hookOutput: '' });
      return true;
    });
    const { code, stderr } = await push();
    assert.equal(code, 5);
    assert.match(stderr, /me\/plm-tiny-pressed\/.*: is missing in the new commit [0-9a-f]{40}/);
  });
});

/** As xet writes a hash: every eight bytes the other way round. */
function xetOrder(hex: string): string {
  return hex.replace(/[0-9a-f]{16}/g, (word) => word.match(/../g)!.reverse().join(''));
}

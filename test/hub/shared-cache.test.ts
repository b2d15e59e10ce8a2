import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Progress } from '../../src/core/jobs/progress.ts';
import { closeModel } from '../../src/core/model.ts';
import { keepListing, keptListing } from '../../src/hub/cache/kept-listing.ts';
import { openTree } from '../../src/hub/cache/snapshot.ts';
import { parseHubSource } from '../../src/hub/hub-source.ts';
import { resolveRevision } from '../../src/hub/tree.ts';
import { type PullOptions, pull } from '../../src/pipeline/pull.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { checkpointFiles, NEEDED, REPOSITORY, testSettings } from '../support/builders/hub-checkpoint.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { gitHash, HubServer, sha256 } from '../support/fakes/hub-server.ts';
import { setBuiltin } from '../support/fakes/set-builtin.ts';
import { fixture } from '../support/paths.ts';
import { pressFailure } from '../support/press-failure.ts';
import { asUnprivileged, NO_PERMISSIONS } from '../support/privileges.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FILES = checkpointFiles();
const OFFLINE = { HF_HUB_OFFLINE: '1' };

async function start(t: TestContext) {
  const server = await HubServer.start(t);
  const commit = server.commit(REPOSITORY, FILES);
  const home = temporaryFolder(t);
  const source = parseHubSource(REPOSITORY)!;
  const take = (env: NodeJS.ProcessEnv = {}, changes: Partial<PullOptions> = {}) =>
    pull({ settings: testSettings(server, home, env), source, ...changes });
  const root = path.join(home, 'hub', 'models--PLM-Team--plm-tiny');
  return { server, commit, home, source, take, root };
}

/** A listing as huggingface_hub 1.22 and later keep it. */
function listingOfPython(files: Readonly<Record<string, Buffer>>) {
  const entries = Object.entries(files).map(([name, bytes]) => {
    const lfs = /\.(safetensors|bin)$/.test(name) && { lfs_sha256: sha256(bytes), lfs_size: bytes.length };
    return [name, { size: bytes.length, blob_id: gitHash(bytes), ...lfs }];
  });
  return { format_version: 1, files: Object.fromEntries(entries) };
}

function everyFile(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

describe('the cache that tools of the Hub share', () => {
  it('gets nothing but blobs, snapshots and refs', async (t) => {
    const { commit, home, take } = await start(t);
    await take();
    const kinds = everyFile(path.join(home, 'hub')).map((name) => name.split(path.sep).slice(0, 2).join('/'));
    const repository = 'models--PLM-Team--plm-tiny';
    assert.deepEqual(
      [...new Set(kinds)],
      ['blobs', 'refs', 'snapshots'].map((kind) => `${repository}/${kind}`),
    );
    assert.deepEqual(everyFile(path.join(home, 'assets')), [
      `plmpress/listings/${repository}/${commit}.json`,
    ]);
  });

  it('is not shown lists that an older version left there, on which huggingface_hub fails', async (t) => {
    const { commit, root, take } = await start(t);
    const trees = path.join(root, 'trees');
    mkdirSync(trees, { recursive: true });
    const python = JSON.stringify(listingOfPython(FILES));
    writeFileSync(path.join(trees, `${commit}.json`), '[{"path":"config.json","bytes":1,"oid":"x"}]');
    writeFileSync(path.join(trees, `${'a'.repeat(40)}.json`), '[]');
    writeFileSync(path.join(trees, `${'b'.repeat(40)}.json`), python);
    writeFileSync(path.join(trees, 'note'), '[');
    assert.deepEqual((await take()).files.map((file) => file.path).sort(), NEEDED);
    assert.deepEqual(readdirSync(trees).sort(), [`${'b'.repeat(40)}.json`, 'note']);
  });

  it('tells what a commit holds, where huggingface_hub has listed it', async (t) => {
    const { server, commit, root, take } = await start(t);
    mkdirSync(path.join(root, 'trees'), { recursive: true });
    writeFileSync(path.join(root, 'trees', `${commit}.json`), JSON.stringify(listingOfPython(FILES)));
    await take({}, { source: parseHubSource(`${REPOSITORY}@${commit}`)! });
    assert.deepEqual(
      server.seen.filter(({ url }) => url.includes('/api/')),
      [],
    );
  });

  const NONE: readonly [name: string, text: string][] = [
    ['nothing', ''],
    ['null', 'null'],
    ['another version', '{"format_version":2,"files":{}}'],
    ['no files', '{"format_version":1}'],
    ['files that are none', '{"format_version":1,"files":{"a":null}}'],
    ['a path that leads out', JSON.stringify(listingOfPython({ '../x': Buffer.from('x') }))],
    ['a hash that is none', '{"format_version":1,"files":{"a":{"size":1,"blob_id":"../x"}}}'],
  ];
  for (const [name, text] of NONE) {
    it(`may hold a listing that is none: ${name}`, async (t) => {
      const { commit, root, take } = await start(t);
      mkdirSync(path.join(root, 'trees'), { recursive: true });
      writeFileSync(path.join(root, 'trees', `${commit}.json`), text);
      assert.deepEqual((await take()).files.map((file) => file.path).sort(), NEEDED);
    });
  }
});

it('a listing that plmpress keeps comes back, unless a later version has kept it', async (t) => {
  const file = path.join(temporaryFolder(t), 'listings', 'x.json');
  const origin = { repository: REPOSITORY, revision: 'a'.repeat(40) };
  const files = [{ path: 'config.json', bytes: 3, oid: 'b'.repeat(40) }];
  await keepListing(file, { ...origin, files });
  assert.deepEqual(await keptListing(file, origin), { ...origin, files });
  writeFileSync(file, JSON.stringify({ version: 2, files }));
  assert.equal(await keptListing(file, origin), undefined);
});

/**
 * What a disk or a system without symbolic links answers, and huggingface_hub where it is told to make none.
 */
describe('a cache without links', () => {
  for (const code of ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EACCES']) {
    it(`holds files where links are answered by ${code}`, async (t) => {
      const { root, take } = await start(t);
      setBuiltin(t, fs, 'symlink', () => Promise.reject(Object.assign(new Error(), { code })));
      const { folder } = await take();
      for (const name of NEEDED) {
        assert.ok(lstatSync(path.join(folder!, name)).isFile());
        assert.deepEqual(readFileSync(path.join(folder!, name)), FILES[name]);
      }
      assert.deepEqual(readdirSync(path.join(root, 'blobs')), [], 'nothing is there twice');
    });
  }

  it('is sound to huggingface_hub, and to a later run', async (t) => {
    const { server, take } = await start(t);
    const { folder } = await take({ HF_HUB_DISABLE_SYMLINKS: '1' });
    const seen = server.contentRequests().length;
    const config = path.join(folder!, 'config.json');
    assert.ok(lstatSync(config).isFile());
    assert.equal((await take()).folder, folder);
    assert.equal(server.contentRequests().length, seen);
    writeFileSync(config, Buffer.from(FILES['config.json']!).fill(32));
    await take();
    assert.deepEqual(readFileSync(config), FILES['config.json']);
  });

  it('copies a blob that another commit may lead to', async (t) => {
    const { server, root, take } = await start(t);
    await take();
    server.commit(REPOSITORY, { ...FILES, 'README.md': Buffer.from('changed') });
    const seen = server.contentRequests('model.safetensors').length;
    const { folder } = await take({ HF_HUB_DISABLE_SYMLINKS: 'true' });
    assert.ok(lstatSync(path.join(folder!, 'model.safetensors')).isFile());
    assert.equal(server.contentRequests('model.safetensors').length, seen);
    assert.ok(existsSync(path.join(root, 'blobs', sha256(FILES['model.safetensors']!))));
  });
});

describe('offline', () => {
  /** A cache as huggingface_hub fills it, without a listing: by links, or by files where there are none. */
  async function filled(t: TestContext, form: 'links' | 'files') {
    const started = await start(t);
    await started.take(form === 'files' ? { HF_HUB_DISABLE_SYMLINKS: '1' } : {});
    rmSync(path.join(started.home, 'assets'), { recursive: true });
    if (form === 'files') rmSync(path.join(started.root, 'blobs'), { recursive: true });
    started.server.seen.length = 0;
    return started;
  }

  it('every command takes a complete cache, and asks nobody', async (t) => {
    const { server, home } = await filled(t, 'files');
    const env = { ...server.env(home), TRANSFORMERS_OFFLINE: 'yes' };
    const before = everyFile(home);
    const folder = temporaryFolder(t);
    const [out, text] = [path.join(folder, 'out'), path.join(folder, 'text')];
    writeFileSync(text, 'Call me Ishmael.');
    const commands: readonly (readonly string[])[] = [
      ['inspect', REPOSITORY],
      ['plan', REPOSITORY, '--to', 'gguf:q8_0', '--device', 'raspberry-pi-5'],
      ['tokenize', REPOSITORY, 'hello'],
      ['convert', REPOSITORY, '--to', 'gguf:q8_0', '--stream', '-o', out, '--threads', '1'],
      ['diff', REPOSITORY, REPOSITORY],
      ['verify', out, '--against', REPOSITORY, '--text', text],
      ['reproduce', out],
      ['generate', REPOSITORY, '--prompt', 'Call', '-n', '1'],
      ['calibrate', REPOSITORY, '--text', text, '-o', path.join(folder, 'imatrix.gguf')],
      ['pull', REPOSITORY],
      ['push', out, '--repo', REPOSITORY, '--dry-run'],
    ];
    for (const argv of commands) {
      const { code, stderr } = await runCli(argv, { env });
      assert.equal(code, 0, `${argv[0]}: ${stderr}`);
    }
    const refused = await runCli(['push', out, '--repo', REPOSITORY], { env });
    assert.equal(refused.code, 5);
    assert.match(refused.stderr, /error: PLM-Team\/plm-tiny: cannot be changed, since HF_HUB_OFFLINE is set/);
    assert.deepEqual(server.seen, []);
    assert.deepEqual(everyFile(home), before, 'what an offline run finds out is no record');
  });

  it('takes a cache of links without a listing', async (t) => {
    const { server, home, commit } = await filled(t, 'links');
    const model = await openSource(REPOSITORY, { env: { ...server.env(home), ...OFFLINE }, remote: true });
    t.after(() => closeModel(model));
    assert.deepEqual(model.origin, { repository: REPOSITORY, revision: commit });
    assert.deepEqual(server.seen, []);
  });

  it('asks for nothing, whatever is called', async (t) => {
    const { server, home } = await start(t);
    const run = { settings: testSettings(server, home, OFFLINE) };
    await assert.rejects(
      resolveRevision(run, REPOSITORY, 'main'),
      pressFailure('network', /is not requested, since HF_HUB_OFFLINE is set$/),
    );
    assert.deepEqual(server.seen, []);
  });

  it('brings files of the cache into a folder', async (t) => {
    for (const form of ['links', 'files'] as const) {
      const { server, take } = await filled(t, form);
      const output = path.join(temporaryFolder(t), 'out');
      await take(OFFLINE, { output });
      assert.deepEqual(readdirSync(output).sort(), NEEDED);
      for (const name of NEEDED) assert.deepEqual(readFileSync(path.join(output, name)), FILES[name]);
      assert.deepEqual(server.seen, []);
    }
  });

  it('a part of a commit hides nothing from a later run', async (t) => {
    const { commit, home, server, root, take } = await start(t);
    const source = parseHubSource(`${REPOSITORY}@${commit}`)!;
    await take({}, { source });
    rmSync(path.join(home, 'assets'), { recursive: true });
    rmSync(path.join(root, 'snapshots', commit, 'README.md'));
    assert.equal((await take(OFFLINE, { source })).files.length, NEEDED.length - 1);
    assert.deepEqual((await take({}, { source })).files.map((file) => file.path).sort(), NEEDED);
    assert.ok(server.seen.some(({ url }) => url.includes('/tree/')));
  });

  it('says that a part of a model is not all of it', async (t) => {
    const { server, home, root, commit, take } = await filled(t, 'links');
    const run = { settings: testSettings(server, home, OFFLINE) };
    const snapshot = path.join(root, 'snapshots', commit);
    rmSync(path.join(snapshot, 'model.safetensors'));
    await assert.rejects(
      take(OFFLINE),
      pressFailure(
        'network',
        /^PLM-Team\/plm-tiny: this model is not in the cache, and HF_HUB_OFFLINE is set$/,
      ),
    );
    const shard = (nth: number) => `model-0000${nth}-of-00002.safetensors`;
    const map = { weight_map: { a: shard(1), b: shard(2) } };
    writeFileSync(path.join(snapshot, 'model.safetensors.index.json'), JSON.stringify(map));
    writeFileSync(path.join(snapshot, shard(1)), '');
    await assert.rejects(
      take(OFFLINE),
      pressFailure('network', /model-00002-of-00002\.safetensors: is not in the cache/),
    );
    assert.ok((await openTree(run, parseHubSource(REPOSITORY)!)).isPartial);
  });

  it('tells of damage, and removes nothing', async (t) => {
    const { root, take } = await filled(t, 'links');
    const blob = path.join(root, 'blobs', sha256(FILES['model.safetensors']!));
    writeFileSync(blob, Buffer.from(FILES['model.safetensors']!).fill(1, 5000, 5001));
    const damaged = /model\.safetensors: is damaged in the cache, and HF_HUB_OFFLINE is set$/;
    await assert.rejects(take(OFFLINE), pressFailure('network', damaged));
    truncateSync(blob, 0);
    await assert.rejects(take(OFFLINE), pressFailure('network', damaged));
    assert.ok(existsSync(blob));
  });
});

describe('a Hub that cannot be reached', () => {
  const NOTE = /using the copy in the cache, which may be older/;
  const UNREACHABLE = { HF_ENDPOINT: 'http://127.0.0.1:1' };

  it('is no matter where the cache has all, and a note says so', async (t) => {
    const { server, home, take } = await start(t);
    await take();
    const env = { ...server.env(home), ...UNREACHABLE };
    for (const argv of [
      ['inspect', REPOSITORY],
      ['diff', REPOSITORY, fixture('plm-tiny')],
      ['pull', REPOSITORY],
    ]) {
      const { code, stderr } = await runCli(argv, { env });
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /^plmpress: PLM-Team\/plm-tiny@main: cannot be reached: bad port; using the copy in the cache, /m,
      );
    }
  });

  it('is the error where the cache lacks something', async (t) => {
    const { server, home, commit, root, take } = await start(t);
    await take();
    rmSync(path.join(root, 'snapshots', commit, 'tokenizer.json'));
    const { code, stderr } = await runCli(['generate', REPOSITORY, '--prompt', 'Call'], {
      env: { ...server.env(home), ...UNREACHABLE },
    });
    assert.equal(code, 5);
    assert.match(stderr, /^plmpress: error: PLM-Team\/plm-tiny: no such path here, and the .*: bad port\n$/);
  });

  it('may also fail by itself, but not refuse', async (t) => {
    const { server, take } = await start(t);
    await take();
    let status = 503;
    server.misbehaviours.push((_, response) => {
      response.writeHead(status).end();
      return true;
    });
    const notes: string[] = [];
    const progress: Progress = (event) => event.kind === 'note' && notes.push(event.message);
    assert.equal((await take({}, { progress })).files.length, NEEDED.length);
    assert.match(notes.join('\n'), NOTE);
    status = 403;
    await assert.rejects(take(), pressFailure('network', /is not allowed with this token/));
  });
});

describe('a disk that is too small', () => {
  for (const place of ['the cache', 'a folder']) {
    it(`for what comes into ${place} is told before it comes, and what has come counts`, async (t) => {
      const { server, root, take } = await start(t);
      setBuiltin(t, fs, 'statfs', (async () => ({
        bavail: 1000,
        bsize: 4096,
      })) as unknown as typeof fs.statfs);
      const output = path.join(temporaryFolder(t), 'out');
      const changes = place === 'a folder' ? { output } : {};
      await assert.rejects(
        take({}, changes),
        pressFailure('local-io', /(hub|out): no space left: needs 8\.2 MB, has 4\.1 MB$/),
      );
      assert.deepEqual(server.contentRequests(), []);
      const weights = FILES['model.safetensors']!;
      const whole =
        place === 'a folder'
          ? path.join(output, 'model.safetensors')
          : path.join(root, 'blobs', sha256(weights));
      mkdirSync(path.dirname(whole), { recursive: true });
      writeFileSync(`${whole}.plmpress.incomplete`, weights.subarray(0, 5_000_000));
      await take({}, changes);
      assert.ok(existsSync(whole));
    });
  }
});

describe('a cache that nobody can write to', { skip: NO_PERMISSIONS }, () => {
  it('is enough where it is complete, with the Hub and without', async (t) => {
    const { server, home, take } = await start(t);
    const { folder } = await take();
    const copy = path.join(temporaryFolder(t), 'hf');
    cpSync(home, copy, { recursive: true, verbatimSymlinks: true });
    rmSync(path.join(copy, 'assets'), { recursive: true });
    rmSync(path.join(copy, 'hub', 'models--PLM-Team--plm-tiny', 'refs', 'main'));
    writeFileSync(
      path.join(copy, 'hub', 'models--PLM-Team--plm-tiny', 'refs', 'main'),
      path.basename(folder!),
    );
    chmodSync(path.dirname(copy), 0o755);
    for (const name of ['', ...readdirSync(copy, { recursive: true })]) {
      const at = path.join(copy, String(name));
      if (!lstatSync(at).isSymbolicLink()) chmodSync(at, lstatSync(at).isDirectory() ? 0o555 : 0o444);
    }
    await asUnprivileged(async () => {
      for (const env of [{}, OFFLINE]) {
        await closeModel(await openSource(REPOSITORY, { env: { ...server.env(copy), ...env } }));
      }
    });
  });
});

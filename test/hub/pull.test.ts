import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import path from 'node:path';
import test, { describe, it, type TestContext } from 'node:test';
import { scanCacheDir } from '@huggingface/hub';
import { parseHubSource } from '../../src/hub/hub-source.ts';
import { temporaryPath } from '../../src/io/staging/temporary-file.ts';
import { type PullOptions, pull } from '../../src/pipeline/pull.ts';
import { checkpointFiles, NEEDED, REPOSITORY, testSettings } from '../support/builders/hub-checkpoint.ts';
import { deadPid } from '../support/dead-pid.ts';
import { spawnCli } from '../support/drivers/run-cli.ts';
import { gitHash, HubServer, sha256, TOKEN } from '../support/fakes/hub-server.ts';
import { changeHandles, diskFailure, failEveryClose } from '../support/file-handles.ts';
import { pressFailure } from '../support/press-failure.ts';
import { asUnprivileged, NO_PERMISSIONS } from '../support/privileges.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function start(
  t: Parameters<typeof HubServer.start>[0],
  options?: Parameters<typeof HubServer.start>[1],
) {
  const server = await HubServer.start(t, options);
  const files = checkpointFiles();
  const commit = server.commit(REPOSITORY, files);
  const home = temporaryFolder(t);
  const settings = testSettings(server, home);
  const take = (changes: Partial<PullOptions> = {}, spec = REPOSITORY) =>
    pull({ settings, source: parseHubSource(spec)!, ...changes });
  return { server, files, commit, home, settings, take };
}

describe('pull', () => {
  it('brings what a checkpoint needs into the cache that all tools of the Hub share', async (t) => {
    const { server, files, commit, home, take } = await start(t);
    const result = await take();
    assert.equal(result.revision, commit);
    assert.deepEqual(result.files.map((file) => file.path).sort(), NEEDED);
    const root = path.join(home, 'hub', 'models--PLM-Team--plm-tiny');
    assert.equal(result.folder, path.join(root, 'snapshots', commit));
    assert.deepEqual(readdirSync(result.folder!).sort(), NEEDED);
    for (const name of NEEDED) {
      const content = files[name]!;
      const oid = name === 'model.safetensors' ? sha256(content) : gitHash(content);
      assert.equal(readlinkSync(path.join(result.folder!, name)), `../../blobs/${oid}`);
      assert.deepEqual(readFileSync(path.join(result.folder!, name)), content);
    }
    assert.equal(readdirSync(path.join(root, 'blobs')).length, NEEDED.length);
    assert.equal(readFileSync(path.join(root, 'refs', 'main'), 'latin1'), commit);
    assert.deepEqual(server.contentRequests('optimizer.bin'), []);
    assert.deepEqual(server.contentRequests('pytorch_model.bin'), []);
  });

  it('leaves a cache that other tools read', async (t) => {
    const { commit, home, take } = await start(t);
    const { folder } = await take();
    const { repos } = await scanCacheDir(path.join(home, 'hub'));
    assert.deepEqual(
      repos.map(({ id }) => id),
      [{ type: 'model', name: REPOSITORY }],
    );
    const [revision] = repos[0]!.revisions;
    assert.deepEqual([revision!.commitOid, revision!.refs], [commit, ['main']]);
    assert.deepEqual(revision!.files.map((file) => path.relative(folder!, file.path)).sort(), NEEDED);
  });

  it('asks for nothing twice', async (t) => {
    const { server, commit, take } = await start(t);
    await take();
    const first = server.contentRequests().length;
    await take();
    assert.equal(server.contentRequests().length, first);
    const seen = server.seen.length;
    await take({}, `${REPOSITORY}@${commit}`);
    assert.equal(server.seen.length, seen, 'a commit that is known needs no server');
  });

  it('replaces a damaged file of the cache', async (t) => {
    const { files, take } = await start(t);
    const { folder } = await take();
    const weights = path.join(folder!, 'model.safetensors');
    const damaged = Buffer.from(files['model.safetensors']!);
    damaged[5000]! ^= 1;
    writeFileSync(weights, damaged);
    await take();
    assert.deepEqual(readFileSync(weights), files['model.safetensors']);
  });

  it('takes a blob that another tool has left, if it is sound, and replaces it if not', async (t) => {
    const { server, files, home, take } = await start(t);
    const blobs = path.join(home, 'hub', 'models--PLM-Team--plm-tiny', 'blobs');
    mkdirSync(blobs, { recursive: true });
    const weights = files['model.safetensors']!;
    writeFileSync(path.join(blobs, sha256(weights)), weights);
    writeFileSync(path.join(blobs, gitHash(files['config.json']!)), '<html>Please log in</html>');
    const { folder } = await take();
    assert.deepEqual(server.contentRequests('model.safetensors'), []);
    assert.deepEqual(readFileSync(path.join(folder!, 'config.json')), files['config.json']);
  });

  it('goes page by page through long listings', async (t) => {
    const { take } = await start(t, { pageSize: 3 });
    const { files } = await take();
    assert.deepEqual(files.map((file) => file.path).sort(), NEEDED);
  });

  it('goes page by page where a mirror passes on addresses of the Hub, or such without its own path', async (t) => {
    const addresses = [
      ({ pathname, search }: URL) => `https://huggingface.co${pathname}${search}`,
      ({ pathname, search }: URL) => `${pathname}${search}`,
      ({ origin, search }: URL) => `${origin}/without/its/path${search}`,
    ];
    for (const address of addresses) {
      const { server, take } = await start(t, { pageSize: 3 });
      server.misbehaviours.push((_, response) => {
        const setHeader = response.setHeader.bind(response);
        response.setHeader = (name, value) => {
          const [, link] = /^<(.*)>/.exec(String(value)) ?? [];
          return setHeader(name, link ? `<${address(new URL(link))}>; rel="next"` : value);
        };
        return false;
      });
      const { files } = await take();
      assert.deepEqual(files.map((file) => file.path).sort(), NEEDED);
    }
  });

  it('brings every file with --all, folders too', async (t) => {
    const { files, take } = await start(t);
    const { folder } = await take({ all: true });
    for (const [name, content] of Object.entries(files)) {
      assert.deepEqual(readFileSync(path.join(folder!, name)), content);
    }
    assert.equal(
      readlinkSync(path.join(folder!, 'training', 'optimizer.bin')),
      `../../../blobs/${sha256(files['training/optimizer.bin']!)}`,
    );
  });

  it('lists without fetching in a dry run', async (t) => {
    const { server, home, take } = await start(t);
    const { files } = await take({ dryRun: true });
    assert.deepEqual(files.map((file) => file.path).sort(), NEEDED);
    assert.deepEqual(server.contentRequests(), []);
    assert.deepEqual(readdirSync(home), []);
  });

  it('reads a private repository with a token, which no store sees', async (t) => {
    const { server, home } = await start(t);
    server.commit('org/secret', checkpointFiles(), true);
    const source = parseHubSource('org/secret')!;
    await pull({ settings: testSettings(server, home), source });
    const withToken = server.seen.filter(({ headers }) => headers.authorization?.includes(TOKEN));
    assert.ok(withToken.length > 0 && withToken.every((request) => request.server === 'hub'));
    await assert.rejects(
      pull({ settings: testSettings(server, temporaryFolder(t), { HF_TOKEN: '' }), source }),
      pressFailure(
        'network',
        /^org\/secret@main: needs a token that may read it: set HF_TOKEN \(401\); the server says: Invalid username/,
      ),
    );
    await assert.rejects(
      pull({ settings: testSettings(server, temporaryFolder(t), { HF_TOKEN: 'hf_anotherToken' }), source }),
      pressFailure(
        'network',
        /^org\/secret@main: rejects the token \(401\); the server says: Invalid username/,
      ),
    );
  });
});

describe('pull into a folder', () => {
  it('puts files there, and nothing into the cache', async (t) => {
    const { files, home, take } = await start(t);
    const output = path.join(temporaryFolder(t), 'new', 'checkpoint');
    await take({ output });
    assert.deepEqual(readdirSync(output).sort(), NEEDED);
    for (const name of NEEDED) {
      assert.ok(lstatSync(path.join(output, name)).isFile());
      assert.deepEqual(readFileSync(path.join(output, name)), files[name]);
    }
    assert.deepEqual(readdirSync(home), []);
  });

  it('keeps files that are the same, and replaces others only with force', async (t) => {
    const { server, files, take } = await start(t);
    const output = temporaryFolder(t);
    writeFileSync(path.join(output, 'model.safetensors'), files['model.safetensors']!);
    writeFileSync(path.join(output, 'config.json'), 'mine');
    await assert.rejects(
      take({ output }),
      pressFailure('local-io', /config\.json: exists with different content; --force replaces it$/),
    );
    assert.deepEqual(readdirSync(output).sort(), ['config.json', 'model.safetensors']);
    assert.equal(readFileSync(path.join(output, 'config.json'), 'utf8'), 'mine');
    await take({ output, force: true });
    assert.deepEqual(readFileSync(path.join(output, 'config.json')), files['config.json']);
    assert.deepEqual(server.contentRequests('model.safetensors'), []);
  });

  it('refuses folders of files that are files or lead elsewhere', async (t) => {
    const { take } = await start(t);
    const [output, elsewhere] = [temporaryFolder(t), temporaryFolder(t)];
    const training = path.join(output, 'training');
    writeFileSync(training, '');
    const all = () => take({ output, all: true });
    await assert.rejects(all, pressFailure('local-io', /training: is not a folder$/));
    rmSync(training);
    symlinkSync(elsewhere, training);
    const leads = /training: symbolic link that leads out of the folder$/;
    await assert.rejects(all, pressFailure('local-io', leads));
    assert.deepEqual(readdirSync(elsewhere), []);
  });

  it('tells of a name that is taken by a folder meanwhile', async (t) => {
    const { server, take } = await start(t);
    const output = temporaryFolder(t);
    const config = path.join(output, 'config.json');
    server.misbehaviours.push(({ url }) => {
      if (url.endsWith('/config.json')) mkdirSync(config);
      return false;
    });
    await assert.rejects(take({ output }), pressFailure('local-io', /config\.json: is a folder \(EISDIR\)$/));
    assert.deepEqual(readdirSync(config), []);
  });

  it('tells of a file that it may not read', { skip: NO_PERMISSIONS }, async (t) => {
    const { files, take } = await start(t);
    const output = temporaryFolder(t);
    writeFileSync(path.join(output, 'config.json'), files['config.json']!);
    chmodSync(path.join(output, 'config.json'), 0);
    chmodSync(output, 0o777);
    await assert.rejects(
      asUnprivileged(() => take({ output })),
      pressFailure('local-io', /config\.json: permission denied \(EACCES\)$/),
    );
  });

  it('removes a folder that it made for nothing', async (t) => {
    const { server, take } = await start(t);
    server.misbehaviours.push(({ url }, response) => {
      if (!url.includes('/resolve/')) return false;
      response.writeHead(403).end();
      return true;
    });
    const output = path.join(temporaryFolder(t), 'new');
    await assert.rejects(take({ output }), pressFailure('network', /is not allowed with this token/));
    assert.equal(existsSync(output), false);
  });
});

describe('a cache that cannot be written', () => {
  const cases: readonly [
    name: string,
    make: (at: (...names: string[]) => string, commit: string, config: string) => void,
    message: RegExp,
  ][] = [
    [
      'a file is in the place of all snapshots',
      (at) => writeFileSync(at('snapshots'), ''),
      /snapshots\/.*: is not a folder \(ENOTDIR\)$/,
    ],
    [
      'a folder is in the place of a file of the snapshot',
      (at, commit) => mkdirSync(at('snapshots', commit, 'config.json'), { recursive: true }),
      /config\.json: is a folder \(EISDIR\)$/,
    ],
    [
      'a folder is in the place of a blob',
      (at, _, config) => mkdirSync(at('blobs', gitHash(Buffer.from(config))), { recursive: true }),
      /blobs\/[0-9a-f]{40}: is a folder \(EISDIR\)$/,
    ],
    [
      'a file is in the place of what revisions are',
      (at) => writeFileSync(at('refs'), ''),
      /refs: is not a folder$/,
    ],
  ];
  for (const [name, make, message] of cases) {
    it(name, async (t) => {
      const { files, commit, home, take } = await start(t);
      const root = path.join(home, 'hub', 'models--PLM-Team--plm-tiny');
      mkdirSync(root, { recursive: true });
      make((...names) => path.join(root, ...names), commit, files['config.json']!.toString());
      await assert.rejects(take(), pressFailure('local-io', message));
    });
  }
});

test('temporary files of runs that were killed go from the cache and from folders', async (t) => {
  const { home, commit, take } = await start(t);
  const output = path.join(temporaryFolder(t), 'out');
  const left = path.basename(temporaryPath('config.json')).replace(`-${process.pid}-`, `-${deadPid()}-`);
  const root = path.join(home, 'hub', 'models--PLM-Team--plm-tiny');
  await take();
  await take({ output });
  const places = [path.join(root, 'snapshots', commit), path.join(root, 'refs'), output];
  for (const place of places) writeFileSync(path.join(place, left), '');
  await take();
  await take({ output });
  for (const place of places) assert.ok(!existsSync(path.join(place, left)), place);
});

describe('offline', () => {
  it('takes what the cache holds, and names what it lacks', async (t) => {
    const { server, home, take } = await start(t);
    const settings = testSettings(server, home, { HF_HUB_OFFLINE: '1' });
    const missing = /^PLM-Team\/plm-tiny: is not in the cache, and HF_HUB_OFFLINE is set$/;
    await assert.rejects(take({ settings }), pressFailure('network', missing));
    const { folder } = await take();
    const seen = server.seen.length;
    assert.equal((await take({ settings })).folder, folder);
    const damage = path.join(folder!, 'tokenizer.json');
    writeFileSync(damage, '');
    await assert.rejects(
      take({ settings }),
      pressFailure('network', /^PLM-Team\/plm-tiny\/tokenizer\.json: is not in the cache/),
    );
    assert.equal(server.seen.length, seen);
  });
});

test('EIO at each closing of a file is told, or of no account', async (t) => {
  const { server, files, home } = await start(t);
  const take = (nth: number) =>
    pull({ settings: testSettings(server, path.join(home, `${nth}`)), source: parseHubSource(REPOSITORY)! });
  const told = await failEveryClose(t, take, async (_, nth) => {
    const { folder } = await take(nth);
    for (const name of NEEDED) assert.deepEqual(readFileSync(path.join(folder!, name)), files[name]);
  });
  assert.ok(told >= NEEDED.length, `only ${told} are told`);
});

describe('a file system that confirms no file', () => {
  for (const place of ['the cache', 'a folder']) {
    it(`keeps what is pulled into ${place}, and one note says so; a failure is one`, async (t) => {
      const { server, files, take } = await start(t);
      const output = path.join(temporaryFolder(t), 'out');
      let error: Error = Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
      changeHandles(t, (handle) => {
        handle.sync = async () => {
          throw error;
        };
      });
      const notes: string[] = [];
      const options: Partial<PullOptions> = {
        ...(place === 'a folder' && { output }),
        progress: (event) => event.kind === 'note' && notes.push(event.message),
      };
      const { folder } = await take(options);
      for (const name of NEEDED) assert.deepEqual(readFileSync(path.join(folder!, name)), files[name]);
      assert.equal(notes.length, 1);
      assert.match(notes[0]!, /does not confirm that files are on the disk: the files are whole/);
      error = diskFailure();
      server.commit(REPOSITORY, { ...files, 'config.json': Buffer.from('{}') });
      await assert.rejects(
        take({ ...options, force: true }),
        pressFailure('local-io', /config\.json: input\/output error/),
      );
    });
  }
});

test('two runs at once share one transfer', async (t) => {
  const { server, files, take } = await start(t);
  const [a, b] = await Promise.all([take(), take()]);
  assert.equal(a!.folder, b!.folder);
  assert.deepEqual(readFileSync(path.join(a!.folder!, 'model.safetensors')), files['model.safetensors']);
  assert.equal(server.contentRequests('model.safetensors').length, 1);
});

describe('proxies of the environment', () => {
  /** One that lets connections through, and remembers where to. */
  async function startProxy(t: TestContext) {
    const wanted: string[] = [];
    const proxy = createServer().on('connect', ({ url }, socket) => {
      wanted.push(url!);
      const [host, port] = url!.split(':');
      const there = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        socket.pipe(there).pipe(socket);
      });
      for (const end of [socket, there]) end.on('error', () => there.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    t.after(() => proxy.close());
    return { wanted, address: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
  }

  for (const isAsked of [false, true]) {
    it(`are ${isAsked ? 'used where Node is asked to and can' : 'left alone'}`, async (t) => {
      const { server, home } = await start(t);
      const { wanted, address } = await startProxy(t);
      const { code, stderr } = await spawnCli(['pull', REPOSITORY], undefined, {
        ...server.env(home),
        HTTP_PROXY: address,
        HTTPS_PROXY: address,
        NO_PROXY: '',
        ...(isAsked && { NODE_USE_ENV_PROXY: '1' }),
      });
      assert.equal(code, 0, stderr);
      // An option that older versions do not know.
      const isUsed = isAsked && process.allowedNodeEnvironmentFlags.has('--use-env-proxy');
      const origins = [server.endpoint, server.store].map((origin) => new URL(origin).host);
      assert.deepEqual(new Set(wanted), new Set(isUsed ? origins : []));
    });
  }
});

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { openHfFolder } from '../../formats/hf/import.ts';
import { closeModel } from '../../src/core/model.ts';
import { byteLength, columnCount, rowBytes, rowCount } from '../../src/core/tensor.ts';
import { openTree } from '../../src/hub/cache/snapshot.ts';
import { parseHubSource } from '../../src/hub/hub-source.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { openOnHub } from '../../src/pipeline/sources/open-hub.ts';
import { checkpointFiles, REPOSITORY, testSettings } from '../support/builders/hub-checkpoint.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { HubServer, type Misbehaviour, sendBytes, sha256 } from '../support/fakes/hub-server.ts';
import { fixture } from '../support/paths.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FILES = checkpointFiles();
const WEIGHTS = FILES['model.safetensors']!;
const LONGER = Buffer.concat([WEIGHTS, Buffer.alloc(8)]);

async function start(t: TestContext) {
  const server = await HubServer.start(t);
  const commit = server.commit(REPOSITORY, FILES);
  const home = temporaryFolder(t);
  const run = { settings: testSettings(server, home) };
  const source = parseHubSource(REPOSITORY)!;
  const open = async () => {
    const model = (await openOnHub({ run, source, tree: await openTree(run, source) }))!;
    t.after(() => closeModel(model));
    return model;
  };
  return { server, commit, home, open };
}

function fromStore(answer: (...of: Parameters<Misbehaviour>) => unknown): Misbehaviour {
  return (...of) => {
    if (of[0].server === 'store') answer(...of);
    return of[0].server === 'store';
  };
}

/** All files below a folder, with their paths there. */
function filesIn(folder: string): [string, Buffer][] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => path.join(parentPath, name))
    .map((file) => [path.relative(folder, file).split(path.sep).join('/'), readFileSync(file)]);
}

/** Bytes that the store has sent, by the ranges that were asked for. */
function bytesAsked(server: HubServer): number {
  const ranges = server.seen
    .filter((request) => request.server === 'store')
    .map(({ headers }) => headers.range);
  return ranges.reduce((sum, range) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range!)!;
    return sum + Number(to) + 1 - Number(from);
  }, 0);
}

describe('a model on the Hub', () => {
  it('opens by its headers', async (t) => {
    const { server, commit, home, open } = await start(t);
    const model = await open();
    assert.deepEqual(model.origin, { repository: REPOSITORY, revision: commit });
    assert.equal(model.name, 'plm-tiny');
    assert.ok(bytesAsked(server) <= 300_000, `${bytesAsked(server)} bytes of weights`);
    assert.deepEqual(readdirSync(home), []);
  });

  it('gives the rows that a local copy has, in any order', async (t) => {
    const { open } = await start(t);
    const [remote, local] = [await open(), await openHfFolder(fixture('plm-tiny'))];
    t.after(() => closeModel(local));
    for (const name of [...local.tensors.keys()].reverse()) {
      const [a, b] = [remote.tensors.get(name)!, local.tensors.get(name)!];
      const rows = { first: Math.floor(rowCount(a) / 2), count: 1 };
      const [left, right] = [new Uint8Array(rowBytes(a)), new Uint8Array(rowBytes(b))];
      await Promise.all([a.readRows(rows, left), b.readRows(rows, right)]);
      assert.deepEqual(left, right, `${name} of ${columnCount(a)} columns`);
    }
  });

  it('takes few requests from front to back, and knows the hash then', async (t) => {
    const { server, open } = await start(t);
    const model = await open();
    const weights = model.files.find(({ name }) => name === 'model.safetensors')!;
    assert.equal(await weights.sha256(), sha256(WEIGHTS));
    assert.ok(server.seen.filter((request) => request.server === 'store').length <= 4);
    assert.ok(bytesAsked(server) <= 1.1 * WEIGHTS.length);
  });

  it('goes on in the middle of a tensor when a connection breaks', async (t) => {
    const { server, open } = await start(t);
    const model = await open();
    const embedding = model.tensors.get('model.embed_tokens.weight')!;
    let cuts = 0;
    server.misbehaviours.push(async (request, response) => {
      if (request.server !== 'store' || cuts === 3) return false;
      cuts++;
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range!)!;
      response.writeHead(206, {
        'Content-Length': Number(to) + 1 - Number(from),
        'Content-Range': `bytes ${from}-${to}/${WEIGHTS.length}`,
      });
      await new Promise((sent) =>
        response.write(WEIGHTS.subarray(Number(from), Number(from) + 70_001), sent),
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
      response.destroy();
      return true;
    });
    const bytes = new Uint8Array(byteLength(embedding));
    await embedding.readRows({ first: 0, count: rowCount(embedding) }, bytes);
    assert.equal(cuts, 3);
    const { offset } = embedding.origin;
    assert.ok(WEIGHTS.subarray(offset, offset + bytes.length).equals(bytes));
  });

  it('refuses weights that are not those of the listing', async (t) => {
    const { server, open } = await start(t);
    const model = await open();
    const flipped = Buffer.from(WEIGHTS);
    flipped[8_000_000]! ^= 1;
    server.misbehaviours.push((request, response) => {
      if (request.server !== 'store') return false;
      sendBytes(request, response, flipped, WEIGHTS);
      return true;
    });
    const weights = model.files.find(({ name }) => name === 'model.safetensors')!;
    await assert.rejects(
      weights.sha256(),
      pressFailure('network', /model\.safetensors: SHA-256 of the bytes from the server, got/),
    );
  });

  const CHANGES: readonly [name: string, change: (server: HubServer) => Misbehaviour, message: RegExp][] = [
    [
      'the ETag of the store',
      () => fromStore((request, response) => sendBytes(request, response, WEIGHTS, Buffer.from('other'))),
      /model\.safetensors: changed on the server while it was read: its ETag, got ".+", expected/,
    ],
    [
      'the ETag of the Hub',
      ({ store }) =>
        (request, response) => {
          if (request.server === 'store') return false;
          const Location = `${store}/${sha256(WEIGHTS)}`;
          response.writeHead(302, { Location, 'X-Linked-ETag': '"other"' }).end();
          return true;
        },
      /model\.safetensors: changed on the server while it was read: its ETag, got ".*other.*", expected/,
    ],
    [
      'the size',
      () => fromStore((request, response) => sendBytes(request, response, LONGER, WEIGHTS)),
      /does not answer the range bytes \d+-\d+\/8170080 \(206\); it has 8170088 bytes, 8170080 are listed$/,
    ],
  ];
  for (const [name, change, message] of CHANGES) {
    it(`tells that ${name} changes between two ranges`, async (t) => {
      const { server, open } = await start(t);
      const model = await open();
      server.misbehaviours.push(change(server));
      const embedding = model.tensors.get('model.embed_tokens.weight')!;
      const reading = embedding.readRows({ first: 2000, count: 1 }, new Uint8Array(rowBytes(embedding)));
      await assert.rejects(reading, pressFailure('network', message));
    });
  }

  it('refuses servers that know no ranges', async (t) => {
    const { server, open } = await start(t);
    server.misbehaviours.push((request, response) => {
      if (request.server !== 'store') return false;
      response.writeHead(206, { 'Content-Range': `bytes 5-9/${WEIGHTS.length}` }).end('abcde');
      return true;
    });
    await assert.rejects(
      open(),
      pressFailure('network', /does not answer the range bytes 0-\d+\/8170080 \(206\)$/),
    );
  });

  const WITHOUT_LENGTH: readonly [name: string, (range: [number, number]) => [number, object, Buffer]][] = [
    ['the whole in chunks', () => [200, {}, WEIGHTS]],
    [
      'a range of it does not say how much',
      ([from, to]) => [206, { 'Content-Range': `bytes ${from}-${to}/*` }, WEIGHTS.subarray(from, to + 1)],
    ],
  ];
  for (const [name, answer] of WITHOUT_LENGTH) {
    it(`takes what tells no length: ${name}`, async (t) => {
      const { server, open } = await start(t);
      server.misbehaviours.push((request, response) => {
        if (request.server !== 'store') return false;
        const [, from = 0, to = 0] = /(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
        const [status, headers, body] = answer([Number(from), Number(to)]);
        response.writeHead(status, { ...headers }).write(body);
        response.end();
        return true;
      });
      const model = await open();
      const weights = model.files.find(({ name }) => name === 'model.safetensors')!;
      assert.equal(await weights.sha256(), sha256(WEIGHTS));
    });
  }

  it('refuses small files that are not those of the listing', async (t) => {
    const { server, open } = await start(t);
    server.misbehaviours.push((request, response) => {
      if (!request.url.endsWith('/config.json')) return false;
      sendBytes(request, response, Buffer.from(FILES['config.json']!).fill(32));
      return true;
    });
    await assert.rejects(
      open(),
      pressFailure('network', /config\.json: git hash of the bytes from the server/),
    );
  });
});

describe('commands take a repository for a source', () => {
  it('inspect and tokenize read headers only', async (t) => {
    const { server, home } = await start(t);
    const env = server.env(home);
    const { code, stdout } = await runCli(['inspect', REPOSITORY, '--json'], { env });
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).name, 'plm-tiny');
    assert.equal((await runCli(['tokenize', `${REPOSITORY}@main`, 'Call me', '--json'], { env })).code, 0);
    assert.ok(bytesAsked(server) <= 600_000);
    assert.deepEqual(readdirSync(home), []);
  });

  it('convert makes the same of the cache, of the stream and of a folder', async (t) => {
    const { server, commit, home } = await start(t);
    const env = server.env(home);
    const output = (name: string) => path.join(home, name);
    const convert = (source: string, name: string, ...flags: string[]) =>
      runCli(['convert', source, '--to', 'gguf:q4_k_m', '-o', output(name), ...flags], { env });
    const planned = await convert(REPOSITORY, 'planned', '--dry-run', '--json');
    assert.ok(bytesAsked(server) <= 300_000, 'a plan takes headers only');
    assert.deepEqual(readdirSync(home), []);
    const streamed = await convert(REPOSITORY, 'streamed', '--stream');
    assert.deepEqual([streamed.code, streamed.stderr.includes('error')], [0, false], streamed.stderr);
    assert.equal(existsSync(path.join(home, 'hub')), false, 'a stream leaves no copy');
    assert.equal((await convert(REPOSITORY, 'cached')).code, 0);
    const snapshot = path.join(home, 'hub', 'models--PLM-Team--plm-tiny', 'snapshots', commit);
    assert.equal((await convert(snapshot, 'folder')).code, 0);
    const files = readdirSync(output('streamed')).sort();
    assert.deepEqual(files, ['plm-tiny-Q4_K_M.gguf', 'plmpress.json']);
    const [gguf] = JSON.parse(planned.stdout).files;
    assert.equal(statSync(path.join(output('streamed'), gguf.path)).size, gguf.bytes);
    for (const name of ['cached', 'folder']) {
      for (const file of files) {
        const [a, b] = [output('streamed'), output(name)].map((folder) =>
          readFileSync(path.join(folder, file)),
        );
        assert.ok(a!.equals(b!), `${name}: ${file}`);
      }
    }
  });

  it('a stream of wrong bytes leaves nothing', async (t) => {
    const { server, home } = await start(t);
    const flipped = Buffer.from(WEIGHTS);
    flipped[8_000_000]! ^= 1;
    server.misbehaviours.push((request, response) => {
      if (request.server !== 'store') return false;
      sendBytes(request, response, flipped);
      return true;
    });
    const output = path.join(home, 'out');
    const argv = ['convert', REPOSITORY, '--to', 'gguf:q8_0', '-o', output, '--stream'];
    const { code, stderr } = await runCli(argv, { env: server.env(home) });
    assert.equal(code, 5);
    assert.match(
      stderr,
      /error: PLM-Team\/plm-tiny\/model\.safetensors: SHA-256 of the bytes from the server/,
    );
    assert.equal(existsSync(output), false);
  });

  it('tells a repository from a path', async (t) => {
    const { server, home } = await start(t);
    const env = server.env(home);
    const refuse = async (spec: string) => {
      const { code, stderr } = await runCli(['inspect', spec], { env });
      return [code, stderr.replace(/^plmpress: error: /, '').trim()];
    };
    assert.deepEqual(await refuse('PLM-Team/other'), [
      5,
      'PLM-Team/other: no such path here, and the repository is not on the Hub, or HF_TOKEN may not see it (404); the server says: not found',
    ]);
    assert.deepEqual(await refuse('a/b/c'), [4, 'a/b/c: no such file or folder']);
    assert.deepEqual(await refuse('out/model.gguf'), [4, 'out/model.gguf: no such file or folder']);
    assert.equal((await refuse('hf://nobody'))[0], 2);
    const token = await runCli(['inspect', REPOSITORY], { env: { ...env, HF_TOKEN: 'hf_a\nb: c' } });
    assert.equal(token.code, 2);
    assert.ok(!token.stderr.includes('b: c'));
  });
});

describe('artifacts on the Hub are read by their heads', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-artifacts-'));
  const [onnx, bundles] = [path.join(folder, 'onnx'), path.join(folder, 'bundles')];
  before(async () => {
    for (const [output, target] of [
      [onnx, 'onnx:q4'],
      [bundles, 'webgpu:q4'],
    ]) {
      const argv = ['convert', fixture('plm-tiny'), '--to', target!, '-o', output!, '--threads', '1'];
      assert.equal((await runCli(argv)).code, 0);
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  async function serve(t: TestContext, ...folders: readonly string[]) {
    const server = await HubServer.start(t);
    const files = folders.flatMap(filesIn);
    server.commit('org/m', Object.fromEntries(files));
    const home = temporaryFolder(t);
    const run = (...argv: readonly string[]) => runCli(argv, { env: server.env(home) });
    const asked = () => server.contentRequests().map(({ url }) => url.replace(/^.*\/resolve\/[^/]+\//, ''));
    return { server, files: new Map(files), home, run, asked };
  }

  const HEADS = ['generation_config.json', 'onnx/model_q4.onnx', 'tokenizer.json', 'tokenizer_config.json'];
  const CASES = [
    { name: 'a graph', folder: onnx, local: onnx, heads: HEADS, target: 'onnx:f16' },
    {
      name: 'a bundle',
      folder: bundles,
      local: path.join(bundles, 'webgpu-q4'),
      heads: ['webgpu-q4/manifest.json', 'webgpu-q4/vocabulary.json'],
      target: 'gguf:q8_0',
    },
  ];
  for (const { name, folder, local, heads, target } of CASES) {
    it(`${name}: inspect, tokenize and plan ask for no weights, and tell what they do of a copy`, async (t) => {
      const { server, files, home, run, asked } = await serve(t, folder);
      const env = server.env(temporaryFolder(t));
      assert.equal((await runCli(['pull', 'org/m'], { env })).code, 0);
      for (const [command, ...rest] of [['inspect'], ['tokenize', 'Call me'], ['plan', '--to', target]]) {
        server.seen.length = 0;
        const remote = await run(command!, 'org/m', ...rest, '--json');
        assert.deepEqual([remote.code, remote.stderr], [0, ''], command);
        const copy = { env: { ...env, HF_HUB_OFFLINE: '1' } };
        assert.equal(remote.stdout, (await runCli([command!, 'org/m', ...rest, '--json'], copy)).stdout);
        assert.deepEqual(asked().sort(), heads);
        // Ranges of the graph; of all else nothing is in the store.
        assert.equal(bytesAsked(server), files.get('onnx/model_q4.onnx')?.length ?? 0);
      }
      assert.deepEqual(readdirSync(home), []);
    });

    it(`${name}: weights are those of the folder`, async (t) => {
      const { server, home } = await serve(t, folder);
      const [remote, here] = [
        await openSource('org/m', { env: server.env(home), remote: true }),
        await openSource(local),
      ];
      t.after(() => Promise.all([closeModel(remote), closeModel(here)]));
      assert.deepEqual(
        remote.files.map(({ name, bytes }) => [name, bytes]),
        here.files.map(({ name, bytes }) => [name, bytes]),
      );
      assert.deepEqual(remote.origin, { repository: 'org/m', revision: server.head('org/m') });
      const embedding = [remote, here].map((model) => model.tensors.get('model.embed_tokens.weight')!);
      const [left, right] = await Promise.all(
        embedding.map(async (tensor) => {
          const row = new Uint8Array(rowBytes(tensor));
          await tensor.readRows({ first: 100, count: 1 }, row);
          return row;
        }),
      );
      assert.deepEqual(left, right);
      assert.deepEqual(readdirSync(home), []);
    });

    it(`${name}: convert does not stream it, and finds that without weights`, async (t) => {
      const { home, run, asked } = await serve(t, folder);
      const output = path.join(home, 'out');
      const { code, stderr } = await run('convert', 'org/m', '--to', 'gguf:q8_0', '--stream', '-o', output);
      assert.equal(code, 2);
      assert.match(stderr, /--stream is for checkpoints and GGUF files on the Hub/);
      assert.deepEqual(asked().sort(), heads);
    });
  }

  it('a graph must have the hash that is listed', async (t) => {
    const { server, files, run } = await serve(t, onnx);
    const graph = files.get('onnx/model_q4.onnx')!;
    const other = Buffer.from(graph);
    // In the text of the metadata, at the end.
    other[other.length - 3]! ^= 1;
    server.misbehaviours.push(fromStore((request, response) => sendBytes(request, response, other)));
    const { code, stderr } = await run('inspect', 'org/m');
    assert.equal(code, 5);
    assert.match(stderr, /org\/m\/onnx\/model_q4\.onnx: SHA-256 of the bytes from the server, got/);
  });

  it('several are named, and none is fetched', async (t) => {
    const both = await serve(t, onnx, bundles);
    const second = await serve(t, onnx);
    const names = [...second.files.keys()].filter((name) => name.startsWith('onnx/'));
    const more = names.map((name) => [name.replace('_q4', '_fp16'), second.files.get(name)!]);
    second.server.commit('org/m', Object.fromEntries([...second.files, ...more]));
    for (const [{ run, asked }, other] of [
      [both, 'webgpu-q4'],
      [second, 'onnx/model_q4.onnx'],
    ] as const) {
      const first = other === 'webgpu-q4' ? 'onnx/model_q4.onnx' : 'onnx/model_fp16.onnx';
      for (const argv of [
        ['inspect', 'org/m'],
        ['diff', 'org/m', fixture('plm-tiny')],
      ]) {
        const { code, stderr } = await run(...argv);
        assert.equal(code, 2);
        const models = `org/m holds 2 models: ${first}, ${other}, expected one of them, as hf://org/m/${first}`;
        assert.equal(stderr, `plmpress: error: ${models}\n`);
      }
      assert.deepEqual(asked(), []);
    }
    const { code, stdout } = await both.run('inspect', 'hf://org/m/webgpu-q4/manifest.json', '--json');
    assert.deepEqual([code, JSON.parse(stdout).format], [0, 'webgpu']);
  });
});

describe('records that tell where on the Hub a model is', () => {
  const TARGETS = ['--to', 'gguf:q4_k_m', '--to', 'onnx:q4', '--to', 'webgpu:q4'];

  it('reproduce needs nothing but the record', async (t) => {
    const { server, commit, home } = await start(t);
    const env = server.env(home);
    const output = path.join(home, 'out');
    assert.equal(
      (await runCli(['convert', REPOSITORY, ...TARGETS, '-o', output, '--stream'], { env })).code,
      0,
    );
    // The branch has moved on since.
    server.commit(REPOSITORY, { 'config.json': '{}' });
    const { code, stdout, stderr } = await runCli(['reproduce', output], { env });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /reproduced: the bytes of \d+ files are equal/);
    const manifest = JSON.parse(readFileSync(path.join(output, 'plmpress.json'), 'utf8'));
    for (const { source } of manifest.artifacts) {
      assert.deepEqual(source.origin, { repository: REPOSITORY, revision: commit });
    }
  });

  it('merge reads headers from there, and no weights', async (t) => {
    const { server, commit, home } = await start(t);
    const env = server.env(home);
    const source = `${REPOSITORY}@${commit}`;
    const whole = path.join(home, 'whole');
    assert.equal((await runCli(['convert', source, ...TARGETS, '-o', whole], { env })).code, 0);
    const parts: string[] = [];
    for (const shard of ['1/3', '2/3', '3/3']) {
      const folder = path.join(home, 'parts', shard.replace('/', '-'));
      parts.push(folder);
      const argv = ['convert', source, ...TARGETS, '-o', folder, '--part', shard];
      assert.equal((await runCli(argv, { env })).code, 0);
    }
    server.seen.length = 0;
    const merged = path.join(home, 'merged');
    const { code, stderr } = await runCli(['merge', ...parts, '-o', merged], { env });
    assert.equal(code, 0, stderr);
    assert.ok(bytesAsked(server) <= 300_000);
    const names = readdirSync(whole, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    for (const { parentPath, name } of names) {
      const file = path.relative(whole, path.join(parentPath, name));
      const [a, b] = [whole, merged].map((folder) => readFileSync(path.join(folder, file)));
      assert.ok(a!.equals(b!), file);
    }
  });
});

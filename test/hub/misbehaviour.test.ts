import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import test, { describe, it, type TestContext } from 'node:test';
import { Retries } from '../../src/core/jobs/retries.ts';
import { parseHubSource } from '../../src/hub/hub-source.ts';
import { pull } from '../../src/pipeline/pull.ts';
import { checkpointFiles, NEEDED, REPOSITORY, testSettings } from '../support/builders/hub-checkpoint.ts';
import {
  gitHash,
  HubServer,
  type Misbehaviour,
  type SeenRequest,
  sendBytes,
  sendJson,
  sha256,
  TOKEN,
  treeEntry,
} from '../support/fakes/hub-server.ts';
import { changeHandles, diskFailure } from '../support/file-handles.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FILES = checkpointFiles();
const WEIGHTS = FILES['model.safetensors']!;

async function start(t: TestContext) {
  const server = await HubServer.start(t);
  server.commit(REPOSITORY, FILES);
  const home = temporaryFolder(t);
  const take = () => pull({ settings: testSettings(server, home), source: parseHubSource(REPOSITORY)! });
  return { server, home, take };
}

/** The weights on their way out of the store. */
const isWeights = ({ server, url }: SeenRequest) => server === 'store' && url.includes(sha256(WEIGHTS));
const isConfig = ({ url }: SeenRequest) => url.includes('/resolve/') && url.endsWith('/config.json');
const isTree = ({ url }: SeenRequest) => url.includes('/tree/');
const isRevision = ({ url }: SeenRequest) => url.includes('/revision/');

/** Misbehaves for the first `times` requests that match. */
function firstTimes(
  times: number,
  matches: (request: SeenRequest) => boolean,
  act: (response: ServerResponse, request: SeenRequest) => unknown,
): Misbehaviour {
  let left = times;
  return async (request, response) => {
    if (left === 0 || !matches(request)) return false;
    left--;
    await act(response, request);
    return true;
  };
}

/** Sends a part of a body and ends the connection. */
async function sendPart(response: ServerResponse, { headers }: SeenRequest, bytes: Buffer, count: number) {
  const start = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
  response.writeHead(start > 0 ? 206 : 200, {
    'Content-Length': bytes.length - start,
    ...(start > 0 && { 'Content-Range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
  });
  await new Promise((sent) => response.write(bytes.subarray(start, start + count), sent));
  await new Promise((resolve) => setTimeout(resolve, 50));
  response.destroy();
}

function html(response: ServerResponse): void {
  const text = '<html>Please log in</html>';
  response.writeHead(200, { 'Content-Type': 'text/html', 'Content-Length': text.length }).end(text);
}

/** Every blob has the hash that it is named by, and nothing else lies in the cache. */
function assertSoundCache(home: string): void {
  const blobs = path.join(home, 'hub', 'models--PLM-Team--plm-tiny', 'blobs');
  if (!existsSync(blobs)) return;
  for (const name of readdirSync(blobs)) {
    const content = readFileSync(path.join(blobs, name));
    const oid = name.replace(/\.plmpress\.incomplete$/, '');
    const whole = Object.values(FILES).find((bytes) => [sha256(bytes), gitHash(bytes)].includes(oid));
    // Of a transfer that broke off: what has come of the right bytes so far.
    if (name !== oid) assert.deepEqual(content, whole!.subarray(0, content.length), name);
    else assert.deepEqual(content, whole, name);
  }
}

const RECOVERS: Readonly<Record<string, Misbehaviour>> = {
  'a body that breaks off twice': firstTimes(2, isWeights, (response, request) =>
    sendPart(response, request, WEIGHTS, 1_000_000),
  ),
  '500 twice': firstTimes(2, isConfig, (response) => void response.writeHead(500).end()),
  '503 for the listing': firstTimes(1, isTree, (response) => void response.writeHead(503).end()),
  '429 with patience': firstTimes(1, isRevision, (response) => {
    response.writeHead(429, { 'Retry-After': '1' }).end();
  }),
  'a connection that is cut before the answer': firstTimes(1, isTree, (response) => void response.destroy()),
  'a range that is ignored': async (request, response) => {
    if (!isWeights(request)) return false;
    const first = request.headers.range === undefined;
    await (first
      ? sendPart(response, request, WEIGHTS, 500_000)
      : sendBytes({ ...request, headers: {} }, response, WEIGHTS));
    return true;
  },
  // The range goes on in the old place, but of another content: it has to begin anew.
  'another ETag in the middle': firstTimes(1, isWeights, (response, request) => {
    response.setHeader('ETag', '"one"');
    return sendPart(response, request, WEIGHTS, 500_000);
  }),
  'a stall in the middle': firstTimes(1, isWeights, async (response) => {
    response.writeHead(200, { 'Content-Length': WEIGHTS.length });
    response.write(WEIGHTS.subarray(0, 700_000));
  }),
  'wrong bytes before a connection breaks': firstTimes(1, isWeights, (response, request) =>
    sendPart(response, request, Buffer.alloc(WEIGHTS.length), 400_000),
  ),
};

describe('pull gets there in spite of', () => {
  for (const [name, misbehaviour] of Object.entries(RECOVERS)) {
    it(name, async (t) => {
      const { server, home, take } = await start(t);
      server.misbehaviours.push(misbehaviour);
      const { folder } = await take();
      for (const file of NEEDED) assert.deepEqual(readFileSync(path.join(folder!, file)), FILES[file]);
      assertSoundCache(home);
    });
  }
});

interface Refusal {
  readonly act: Misbehaviour;
  readonly message: RegExp;
}

const always =
  (
    matches: (request: SeenRequest) => boolean,
    act: (response: ServerResponse, request: SeenRequest) => unknown,
  ): Misbehaviour =>
  async (request, response) => {
    if (!matches(request)) return false;
    await act(response, request);
    return true;
  };

/** A listing with one entry changed. */
const listing = (change: (entry: ReturnType<typeof treeEntry>) => unknown) =>
  always(isTree, (response) =>
    sendJson(
      response,
      200,
      Object.entries(FILES).map(([file, bytes]) => change(treeEntry(file, bytes))),
    ),
  );
const renamed = (name: string) =>
  listing((entry) => (entry.path === 'figure.png' ? { ...entry, path: name } : entry));
const withLfs = (oid: unknown) =>
  listing((entry) => (entry.lfs ? { ...entry, lfs: { ...entry.lfs, oid } } : entry));

const FLIPPED = Buffer.from(WEIGHTS);
FLIPPED[4_000_000]! ^= 1;

const REFUSALS: Readonly<Record<string, Refusal>> = {
  'wrong bytes': {
    act: always(isWeights, (response, request) => sendBytes(request, response, FLIPPED)),
    message: /model\.safetensors: SHA-256 of the bytes from the server, got "[0-9a-f]+", expected [0-9a-f]+$/,
  },
  'wrong bytes of a small file': {
    act: always(isConfig, (response, request) =>
      sendBytes(request, response, Buffer.from(FILES['config.json']!).fill(32)),
    ),
    message: /config\.json: git hash of the bytes from the server, got "[0-9a-f]+", expected [0-9a-f]+$/,
  },
  'a page of HTML with status 200': {
    act: always(isConfig, html),
    message: /config\.json: the server sends 26 bytes of text\/html, \d+ are listed$/,
  },
  'HTML for the weights': {
    act: always(isWeights, html),
    message: /model\.safetensors: the server sends 26 bytes of text\/html/,
  },
  'HTML for the listing': { act: always(isTree, html), message: /answers with text\/html instead of JSON$/ },
  'HTML for the revision': {
    act: always(isRevision, html),
    message: /answers with text\/html instead of JSON$/,
  },
  'broken JSON': {
    act: always(isTree, (response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('[{"type"');
    }),
    message: /the answer is not JSON$/,
  },
  'a short body, again and again': {
    act: always(isWeights, (response) => {
      response.writeHead(200).end(WEIGHTS.subarray(0, 1000));
    }),
    message: /model\.safetensors: cannot be reached: the connection ends after 1000 of \d+ bytes$/,
  },
  'a long body': {
    act: always(isWeights, (response) => {
      response.writeHead(200).end(Buffer.concat([WEIGHTS, Buffer.alloc(100)]));
    }),
    message: /model\.safetensors: the server sends more than the \d+ bytes it lists$/,
  },
  'a body of a byte now and then': {
    act: always(isWeights, (response, { headers }) => {
      let at = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
      response.writeHead(at > 0 ? 206 : 200, {
        'Content-Length': WEIGHTS.length - at,
        ...(at > 0 && { 'Content-Range': `bytes ${at}-${WEIGHTS.length - 1}/${WEIGHTS.length}` }),
      });
      const drip = setInterval(() => response.write(WEIGHTS.subarray(at, ++at)), 100);
      response.on('close', () => clearInterval(drip));
    }),
    message: /model\.safetensors: cannot be reached: next to nothing came for 0\.5 s$/,
  },
  'no answer': {
    act: always(isRevision, () => {}),
    message: /PLM-Team\/plm-tiny@main: cannot be reached: no answer for 0\.5 s$/,
  },
  '429 for hours': {
    act: always(isTree, (response) => void response.writeHead(429, { 'Retry-After': '7200' }).end()),
    message: /too many requests, try again in 7200 s \(429\)$/,
  },
  '500 for ever': {
    act: always(isWeights, (response) => void response.writeHead(500).end()),
    message: /model\.safetensors: the server failed \(500\)$/,
  },
  '404 for a file of the listing': {
    act: always(isConfig, (response) => void response.writeHead(404).end()),
    message: /config\.json: is not on the Hub, or HF_TOKEN may not see it \(404\)$/,
  },
  '403 for a gated repository': {
    act: always(isRevision, (response) => void response.writeHead(403).end()),
    message: /is not allowed with this token, or its conditions have not been accepted \(403\)$/,
  },
  'redirects in a circle': {
    act: always(isConfig, (response, { url }) => void response.writeHead(302, { Location: url }).end()),
    message: /config\.json: is redirected more than 5 times$/,
  },
  'a redirect to a file': {
    act: always(isConfig, (response) => {
      response.writeHead(302, { Location: 'file:///etc/passwd' }).end();
    }),
    message: /config\.json: leads from https to file:$/,
  },
  'a redirect with a password': {
    act: always(isConfig, (response) => {
      response.writeHead(302, { Location: 'http://name:pass@127.0.0.1:1/' }).end();
    }),
    message: /config\.json: leads to an address with a password$/,
  },
  'a revision that is null': {
    act: always(isRevision, (response) => sendJson(response, 200, null)),
    message: /PLM-Team\/plm-tiny@main: the answer is not a JSON object$/,
  },
  'a listing that is longer than any': {
    act: always(isTree, (response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(`[${' '.repeat(17_000_000)}]`);
    }),
    message: /PLM-Team\/plm-tiny: answers with more than 16000000 bytes$/,
  },
  'a listing that is an object': {
    act: always(isTree, (response) => sendJson(response, 200, { error: 'try again' })),
    message: /PLM-Team\/plm-tiny: the answer is not a list of files$/,
  },
  'a listing of nothing': {
    act: always(isTree, (response) => sendJson(response, 200, [null])),
    message: /the answer is not a list of files$/,
  },
  'a listing that never ends': {
    act: always(isTree, (response, { url, headers }) => {
      response.setHeader('Link', `<http://${headers.host}${url}>; rel="next"`);
      sendJson(response, 200, []);
    }),
    message: /PLM-Team\/plm-tiny: lists more than 1000 pages$/,
  },
  'a name nested deeper than the stack': {
    act: always(isTree, (response) => {
      const path = '['.repeat(100_000) + ']'.repeat(100_000);
      response
        .writeHead(200, { 'Content-Type': 'application/json' })
        .end(`[{"type":"file","path":${path},"size":1}]`);
    }),
    message: /lists the file object, which is not a path in a repository$/,
  },
  'a revision that is a path': {
    act: always(isRevision, (response) => sendJson(response, 200, { _id: 1, id: 'x', sha: '../../..' })),
    message: /the Hub names no commit for this revision$/,
  },
  'a name above the folder': {
    act: renamed('../../../x'),
    message: /lists the file .* not a path in a repository$/,
  },
  'an absolute name': { act: renamed('/etc/cron.d/x'), message: /not a path in a repository$/ },
  'a name with a backslash': { act: renamed('..\\x'), message: /not a path in a repository$/ },
  'a name of a drive': { act: renamed('C:x'), message: /not a path in a repository$/ },
  'a name with a line break': { act: renamed('a\nb'), message: /not a path in a repository$/ },
  'an empty part of a name': { act: renamed('a//b'), message: /not a path in a repository$/ },
  'a name that stands twice': { act: renamed('config.json'), message: /lists "config\.json" twice$/ },
  'a hash that is a path': {
    act: withLfs('../../../x'),
    message: /is listed without the hash of its content$/,
  },
  'a hash of 63 digits': {
    act: withLfs('a'.repeat(63)),
    message: /is listed without the hash of its content$/,
  },
  'a hash in capitals': {
    act: withLfs('A'.repeat(64)),
    message: /is listed without the hash of its content$/,
  },
  'no hash': { act: withLfs(undefined), message: /is listed without the hash of its content$/ },
  'a negative size': {
    act: listing((entry) => ({ ...entry, size: -1, lfs: null })),
    message: /is listed without a size$/,
  },
};

describe('pull refuses, and leaves nothing wrong', () => {
  for (const [name, { act, message }] of Object.entries(REFUSALS)) {
    it(name, async (t) => {
      const { server, home, take } = await start(t);
      server.misbehaviours.push(act);
      await assert.rejects(take(), pressFailure('network', message));
      assertSoundCache(home);
      assert.deepEqual(existsSync(path.join(home, 'x')), false);
      server.misbehaviours.length = 0;
      const { folder } = await take();
      for (const file of NEEDED) assert.deepEqual(readFileSync(path.join(folder!, file)), FILES[file]);
    });
  }
});

test('what comes whole with another hash is asked for once', async (t) => {
  const { server, take } = await start(t);
  const whole = REFUSALS['wrong bytes']!;
  server.misbehaviours.push(whole.act);
  await assert.rejects(take(), pressFailure('network', whole.message));
  assert.equal(server.seen.filter(isWeights).length, 1);
});

test('what an earlier run has kept is fetched anew where it is not the beginning of the file', async (t) => {
  const { server, home, take } = await start(t);
  const blobs = path.join(home, 'hub', 'models--PLM-Team--plm-tiny', 'blobs');
  mkdirSync(blobs, { recursive: true });
  writeFileSync(path.join(blobs, `${sha256(WEIGHTS)}.plmpress.incomplete`), Buffer.alloc(1000));
  const { folder } = await take();
  for (const file of NEEDED) assert.deepEqual(readFileSync(path.join(folder!, file)), FILES[file]);
  const ranges = server.seen.filter(isWeights).map(({ headers }) => headers.range);
  assert.deepEqual(ranges, ['bytes=1000-', undefined]);
});

test('a commit that is asked for is the one that comes', async (t) => {
  const { server, home } = await start(t);
  server.misbehaviours.push(
    always(isRevision, (response) => sendJson(response, 200, { _id: 1, id: 'x', sha: 'b'.repeat(40) })),
  );
  const source = parseHubSource(`${REPOSITORY}@${'a'.repeat(40)}`)!;
  await assert.rejects(
    pull({ settings: testSettings(server, home), source }),
    pressFailure('network', /the Hub names no commit for this revision$/),
  );
});

test('an abort ends the wait for the next try', async () => {
  const controller = new AbortController();
  const next = new Retries([1_000_000], controller.signal).again();
  controller.abort(new Error('interrupted'));
  await assert.rejects(next, { message: 'interrupted' });
});

test('of 10,000 files only those that are needed come', async (t) => {
  const { server, take } = await start(t);
  const others = Array.from({ length: 10_000 }, (_, i) => [`training/step-${i}.json`, '{}'] as const);
  server.commit(REPOSITORY, { ...FILES, ...Object.fromEntries(others) });
  const { folder } = await take();
  for (const file of NEEDED) assert.deepEqual(readFileSync(path.join(folder!, file)), FILES[file]);
  assert.equal(server.contentRequests().length, NEEDED.length);
});

test('a later run goes on where one ended', async (t) => {
  const { server, home, take } = await start(t);
  let cut = true;
  server.misbehaviours.push(async (request, response) => {
    if (!isWeights(request) || !cut) return false;
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (start > 0) response.destroy();
    else await sendPart(response, request, WEIGHTS, 3_000_000);
    return true;
  });
  await assert.rejects(take(), pressFailure('network', /model\.safetensors: cannot be reached/));
  assertSoundCache(home);
  cut = false;
  server.seen.length = 0;
  await take();
  const ranges = server.seen.filter(isWeights).map(({ headers }) => headers.range);
  assert.equal(ranges.length, 1);
  assert.match(ranges[0]!, /^bytes=\d{6,}-$/);
});

test('a disk on which a transfer cannot begin anew is told of', async (t) => {
  const { server, take } = await start(t);
  changeHandles(t, (handle) => {
    handle.truncate = () => Promise.reject(diskFailure());
  });
  server.misbehaviours.push(RECOVERS['a range that is ignored']!);
  await assert.rejects(
    take(),
    pressFailure('local-io', /model\.safetensors: input\/output error .*\(EIO\)$/),
  );
});

test('the token goes to the Hub alone, wherever servers lead', async (t) => {
  const { server, take } = await start(t);
  const other = (await HubServer.start(t)) as HubServer;
  const steal = new URL('/steal', other.endpoint).href;
  // Pages of listings, redirects of the API and of content.
  server.misbehaviours.push((request, response) => {
    if (isTree(request)) response.setHeader('Link', `<${steal}>; rel="next"`);
    return false;
  });
  // The server that was asked is asked for the next page, and has the first only.
  await assert.rejects(take(), pressFailure('network', /lists ".+" twice$/));
  for (const matches of [isRevision, isTree, isConfig]) {
    server.misbehaviours.length = 0;
    server.misbehaviours.push(
      always(matches, (response) => void response.writeHead(307, { Location: steal }).end()),
    );
    await assert.rejects(take(), pressFailure('network', /./));
  }
  assert.ok(other.seen.length >= 3);
  const leaks = [...other.seen, ...server.seen.filter((request) => request.server === 'store')].filter(
    (request) => JSON.stringify(request).includes(TOKEN),
  );
  assert.deepEqual(leaks, []);
});

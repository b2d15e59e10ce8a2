import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import { askedPause } from '../../src/hub/http/asked-pause.ts';
import { mayPass, unreachable } from '../../src/hub/http/fault.ts';
import { parseHubSource } from '../../src/hub/hub-source.ts';
import { type PullOptions, pull } from '../../src/pipeline/pull.ts';
import { checkpointFiles, NEEDED, REPOSITORY, testSettings } from '../support/builders/hub-checkpoint.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { HubServer, type SeenRequest, sendJson } from '../support/fakes/hub-server.ts';
import { fixture } from '../support/paths.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FILES = checkpointFiles();

async function start(t: TestContext) {
  const server = await HubServer.start(t);
  server.commit(REPOSITORY, FILES);
  const home = temporaryFolder(t);
  const take = (env: NodeJS.ProcessEnv = {}, changes: Partial<PullOptions> = {}) =>
    pull({ settings: testSettings(server, home, env), source: parseHubSource(REPOSITORY)!, ...changes });
  return { server, home, take };
}

/** Answers what matches, the first `times` times. */
function answer(
  server: HubServer,
  matches: (request: SeenRequest) => boolean,
  act: (response: ServerResponse, request: SeenRequest) => unknown,
  times = Number.POSITIVE_INFINITY,
) {
  let left = times;
  server.misbehaviours.push((request, response) => {
    if (left <= 0 || !matches(request)) return false;
    left--;
    act(response, request);
    return true;
  });
}

const isApi = ({ url }: SeenRequest) => url.startsWith('/api/models/');
const isContent = ({ url }: SeenRequest) => url.includes('/resolve/');
const isSmall = ({ url }: SeenRequest) => url.includes('/resolve/') && !url.endsWith('.safetensors');

describe('the reason that a server gives for a refusal', () => {
  const CASES: readonly [
    name: string,
    status: number,
    headers: Readonly<Record<string, string>>,
    body: string,
    message: RegExp,
  ][] = [
    [
      'in a header',
      403,
      { 'X-Error-Message': 'Storage limit reached' },
      '',
      /: is refused \(403\); the server says: Storage limit reached$/,
    ],
    [
      'in JSON, said once',
      403,
      { 'X-Error-Message': 'No' },
      '{"error":"No"}',
      /: is refused \(403\); the server says: No$/,
    ],
    [
      'of a wait that is longer than any',
      429,
      { RateLimit: '"api";r=0;t=900' },
      '',
      /: too many requests, try again in 900 s \(429\)$/,
    ],
    ['as a list', 400, {}, '{"error":["a","b"]}', /: is refused \(400\); the server says: a, b$/],
    ['as Git LFS gives it', 422, {}, '{"message":"too large"}', /\(422\); the server says: too large$/],
    [
      'as proxies give it',
      403,
      {},
      '{"errors":[{"message":"blocked"},null]}',
      /\(403\); the server says: blocked$/,
    ],
    [
      'of conditions',
      403,
      { 'X-Error-Code': 'GatedRepo', 'X-Error-Message': 'Ask for access' },
      '',
      /: has conditions: accept them on its page with the account of the token \(403\); the server says: Ask for access$/,
    ],
    [
      'of what is not there',
      401,
      { 'X-Error-Code': 'RepoNotFound' },
      '{"error":"Repository not found"}',
      /: is not on the Hub, or HF_TOKEN may not see it \(401\); the server says: Repository not found$/,
    ],
    ['of a revision', 404, { 'X-Error-Code': 'RevisionNotFound' }, '', /: has no such revision \(404\)$/],
    [
      'of a file',
      404,
      { 'X-Error-Code': 'EntryNotFound' },
      '{"error":"Entry not found"}',
      /: is not in the repository \(404\); the server says: Entry not found$/,
    ],
    [
      'of a repository that is shut',
      403,
      { 'X-Error-Code': 'DisabledRepo', 'X-Error-Message': 'Access to this resource is disabled.' },
      '',
      /: is disabled by the Hub \(403\); the server says: Access to this resource is disabled\.$/,
    ],
    [
      'of a store',
      403,
      { 'Content-Type': 'application/xml' },
      '<Error><Code>X</Code><Message>Request has expired</Message></Error>',
      /\(403\); the server says: Request has expired$/,
    ],
    [
      'in plain text',
      403,
      { 'Content-Type': 'text/plain; charset=utf-8' },
      'go\naway\n',
      /\(403\); the server says: go away$/,
    ],
    [
      'in a page, which is none',
      403,
      { 'Content-Type': 'text/html' },
      '<html>',
      /have not been accepted \(403\)$/,
    ],
    [
      'in the title of a page of a proxy',
      403,
      { 'Content-Type': 'text/html; charset=utf-8' },
      '<html><head><TITLE>Blocked by\npolicy</TITLE></head><body>x</body></html>',
      /: is refused \(403\); the server says: Blocked by policy$/,
    ],
    [
      'of a body that is too large',
      413,
      { 'Content-Type': 'text/html' },
      '<title>413 Request Entity Too Large</title>',
      /: is larger than the server accepts \(413\); the server says: 413 Request Entity Too Large$/,
    ],
    ['as FastAPI gives it', 451, {}, '{"detail":"not here"}', /\(451\); the server says: not here$/],
    ['in an object', 403, {}, '{"error":{"message":"no"}}', /\(403\); the server says: no$/],
    [
      'as RFC 9457 gives it',
      403,
      { 'Content-Type': 'application/problem+json' },
      '{"type":"about:blank","title":"Forbidden","detail":"blocked here"}',
      /\(403\); the server says: Forbidden, blocked here$/,
    ],
    [
      'as long as those of the Hub are',
      403,
      { 'X-Error-Message': `${'word '.repeat(33)}end.` },
      '',
      /\(403\); the server says: (word ){33}end\.$/,
    ],
    ['in what is no JSON', 403, {}, '{', /have not been accepted \(403\)$/],
    ['in JSON of another kind', 403, {}, '[null,{"error":1}]', /have not been accepted \(403\)$/],
    [
      'that is longer than any',
      403,
      {},
      JSON.stringify({ error: 'x'.repeat(20_000) }),
      /have not been accepted \(403\)$/,
    ],
    [
      'that is long',
      403,
      {},
      JSON.stringify({ error: 'x'.repeat(2000) }),
      /\(403\); the server says: x{180}…$/,
    ],
    [
      'with what moves a cursor',
      403,
      {},
      JSON.stringify({ error: '\u001b[2Jred' }),
      /the server says: \\u\{1b\}\[2Jred$/,
    ],
    [
      'with secrets',
      403,
      {},
      JSON.stringify({ error: 'tok.en/1 at https://x/y?Signature=abc' }),
      /the server says: … at https:\/\/x\/y$/,
    ],
  ];
  for (const [name, status, headers, body, message] of CASES) {
    it(name, async (t) => {
      const { server, take } = await start(t);
      answer(server, isApi, (response) => {
        response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(body);
      });
      await assert.rejects(take({ HF_TOKEN: 'tok.en/1' }), pressFailure('network', message));
    });
  }

  it('is told of every kind of request', async (t) => {
    const { server, home, take } = await start(t);
    const folder = path.join(home, 'out');
    const convert = ['convert', fixture('plm-tiny'), '--to', 'gguf:q8_0', '-o', folder, '--threads', '1'];
    assert.equal((await runCli(convert)).code, 0);
    const push = (...flags: string[]) =>
      runCli(['push', folder, '--repo', REPOSITORY, ...flags], { env: server.env(home) });
    for (const [part, run] of [
      ['/revision/', take],
      ['/tree/', take],
      ['/resolve/', take],
      ['/objects/batch', push],
      ['/preupload/', push],
      ['/upload/', push],
      ['/commit/', push],
      ['/repos/create', () => push('--create', 'private')],
    ] as const) {
      server.misbehaviours.length = 0;
      answer(
        server,
        ({ url }) => url.includes(part),
        (response) => sendJson(response, 403, { error: `not ${part}` }),
      );
      const result = await run().catch((error: Error) => ({ code: 5, stderr: error.message }));
      assert.ok('stderr' in result, part);
      assert.equal(result.code, 5, part);
      assert.ok(result.stderr.includes(`is refused (403); the server says: not ${part}`), result.stderr);
    }
  });
});

describe('rate limits', () => {
  const NOW = Date.UTC(2026, 10, 30, 12, 0, 0);
  const CASES: readonly [headers: Readonly<Record<string, string>>, seconds: number][] = [
    [{}, 0],
    [{ 'Retry-After': '7' }, 7],
    [{ 'Retry-After': 'Mon, 30 Nov 2026 12:00:40 GMT' }, 40],
    [{ 'Retry-After': 'Mon, 30 Nov 2026 11:00:00 GMT' }, 0],
    [{ 'Retry-After': 'soon' }, 0],
    [{ RateLimit: '"api";r=0;t=55', 'RateLimit-Policy': '"fixed window";"api";q=500;w=300' }, 55],
    [{ RateLimit: '"api"; t=55; r=0' }, 55],
    [{ RateLimit: '"pages";r=10;t=300, "api";r=0;t=5' }, 5],
    [{ RateLimit: '"api";r=3;t=55' }, 0],
    [{ RateLimit: 'limit=500, remaining=0, reset=12' }, 12],
    [{ RateLimit: 'limit=500, remaining=9, reset=12' }, 0],
    [{ RateLimit: '"api";r=0;t=5', 'Retry-After': '9' }, 9],
    [{ RateLimit: '"api";r=0;t=55', 'Retry-After': '9' }, 55],
    [{ 'RateLimit-Remaining': '0', 'RateLimit-Reset': '30' }, 30],
    [{ 'RateLimit-Remaining': '4', 'RateLimit-Reset': '30' }, 0],
  ];
  for (const [headers, seconds] of CASES) {
    it(JSON.stringify(headers), () => assert.equal(askedPause(new Headers(headers), NOW), 1000 * seconds));
  }

  it('are waited for, with a note', async (t) => {
    const { server, take } = await start(t);
    const limited = (response: ServerResponse) => {
      response.setHeader('RateLimit', '"api";r=0;t=1');
      sendJson(response, 429, { error: 'rate limited' });
    };
    answer(server, isApi, limited, 1);
    const notes: string[] = [];
    const progress = (event: ProgressEvent) => void (event.kind === 'note' && notes.push(event.message));
    await take({}, { progress });
    assert.deepEqual(notes, ['PLM-Team/plm-tiny@main: the server asks to wait 1 s']);
  });

  it('of more than ten minutes end the run, with the reason', async (t) => {
    const { server, take } = await start(t);
    answer(server, isApi, (response) => {
      response.setHeader('RateLimit', '"api";r=0;t=601');
      sendJson(response, 429, { error: 'rate limited' });
    });
    const message = /too many requests, try again in 601 s \(429\); the server says: rate limited$/;
    await assert.rejects(take(), pressFailure('network', message));
  });
});

describe('a server that compresses on the way', () => {
  const SMALL = NEEDED.filter((name) => !name.endsWith('.safetensors'));
  const CODINGS = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync } as const;
  for (const [coding, compress] of Object.entries(CODINGS)) {
    it(coding, async (t) => {
      const { server, take } = await start(t);
      // Not when it is asked for: the client, in this process, would see a server that says nothing for so
      // long.
      const bodies = Object.fromEntries(SMALL.map((name) => [name, compress(FILES[name]!)]));
      answer(server, isSmall, (response, { url }) => {
        const body = bodies[url.split('/').at(-1)!]!;
        response.writeHead(200, { 'Content-Encoding': coding, 'Content-Length': body.length }).end(body);
      });
      const { folder } = await take();
      for (const name of NEEDED) assert.deepEqual(readFileSync(path.join(folder!, name)), FILES[name]);
    });
  }

  it('and answers ranges with the whole: a pull and a stream have the same bytes', async (t) => {
    const { server, home } = await start(t);
    const body = gzipSync(FILES['model.safetensors']!, { level: 0 });
    answer(
      server,
      (request) => request.server === 'store',
      (response) => {
        response.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Length': body.length }).end(body);
      },
    );
    const outputs = ['a', 'b'].map((name) => path.join(home, name));
    for (const [nth, output] of outputs.entries()) {
      const argv = ['convert', REPOSITORY, '--to', 'gguf:q8_0', '-o', output, '--threads', '1'];
      const { code, stderr } = await runCli(nth === 0 ? argv : [...argv, '--stream'], {
        env: server.env(home),
      });
      assert.equal(code, 0, stderr);
    }
    const [a, b] = outputs.map((output) => readFileSync(path.join(output, 'plm-tiny-Q8_0.gguf')));
    assert.ok(a!.equals(b!));
  });

  for (const coding of ['none', 'aws-chunked', 'identity, utf-8']) {
    it(`and says ${coding}, which changes nothing: a pull and a stream take it`, async (t) => {
      const { server, home, take } = await start(t);
      server.misbehaviours.push((request, response) => {
        if (request.server === 'store' || isContent(request)) response.setHeader('Content-Encoding', coding);
        return false;
      });
      const { code, stderr } = await runCli(['inspect', REPOSITORY], { env: server.env(home) });
      assert.equal(code, 0, stderr);
      const { folder } = await take();
      for (const name of NEEDED) assert.deepEqual(readFileSync(path.join(folder!, name)), FILES[name]);
    });
  }

  it('in a way that nobody knows is told of', async (t) => {
    const { server, take } = await start(t);
    answer(server, isContent, (response) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip, x-own' }).end('?');
    });
    const message = /: the server compressed with x-own, which was not requested$/;
    await assert.rejects(take(), pressFailure('network', message));
  });

  it('an answer that is cut is asked for again', async (t) => {
    const { server, take } = await start(t);
    const config = ({ url }: SeenRequest) =>
      isContent({ url } as SeenRequest) && url.endsWith('/config.json');
    answer(
      server,
      config,
      (response) => {
        const body = gzipSync(FILES['config.json']!);
        response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(body.subarray(0, body.length - 9));
      },
      1,
    );
    const { folder } = await take();
    assert.deepEqual(readFileSync(path.join(folder!, 'config.json')), FILES['config.json']);
  });
});

describe('a server that cannot be reached', () => {
  const fault = (code: string, message = code) =>
    new TypeError('fetch failed', { cause: Object.assign(new Error(message), { code }) });
  const CASES: readonly [code: string, isKnown: boolean, tries: number, mayPass: boolean][] = [
    ['ENOTFOUND', false, 0, false],
    ['EAI_NONAME', false, 0, false],
    // A network that has gone gives the same answer as a name that never was.
    ['ENOTFOUND', true, 4, true],
    ['EAI_AGAIN', false, 1, true],
    ['EAI_AGAIN', false, 2, false],
    ['ECONNREFUSED', false, 2, false],
    ['ECONNREFUSED', true, 4, true],
    ['ECONNRESET', false, 4, true],
    ['UND_ERR_SOCKET', false, 4, true],
    ['CERT_HAS_EXPIRED', true, 0, false],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', false, 0, false],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', false, 0, false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', false, 0, false],
    ['ERR_SSL_WRONG_VERSION_NUMBER', true, 0, false],
    ['EPERM', true, 0, false],
  ];
  for (const [code, isKnown, tries, expected] of CASES) {
    it(`${code}, ${isKnown ? 'known' : 'unknown'}, after ${tries} tries`, () => {
      assert.equal(mayPass(fault(code), isKnown, tries), expected);
    });
  }

  it('is named', () => {
    const message = (code: string, text?: string) =>
      unreachable('org/m', fault(code, text), 'hub.example').message;
    assert.equal(message('ENOTFOUND'), 'org/m: cannot be reached: no such host hub.example (ENOTFOUND)');
    assert.equal(
      message('CERT_HAS_EXPIRED', 'certificate has expired'),
      'org/m: cannot be reached: the certificate of hub.example is not trusted: certificate has expired (CERT_HAS_EXPIRED)',
    );
    assert.equal(message('ECONNRESET'), 'org/m: cannot be reached: ECONNRESET');
  });

  it('is asked a few times only, where it has never answered', async (t) => {
    const settings = {
      ...testSettings(await HubServer.start(t), temporaryFolder(t)),
      pauses: [1, 1, 60_000],
    };
    const source = parseHubSource(REPOSITORY)!;
    await assert.rejects(
      pull({ settings: { ...settings, endpoint: 'http://127.0.0.1:1' }, source }),
      pressFailure('network', /cannot be reached: bad port$/),
    );
  });
});

describe('an endpoint in a folder of a server, with a token of its own kind', () => {
  it('pulls and pushes', async (t) => {
    const token = 'eyJ.own/+==';
    const server = await HubServer.start(t, { base: '/artifactory/hub', token });
    server.commit(REPOSITORY, FILES);
    const home = temporaryFolder(t);
    const env = { ...server.env(home), HF_ENDPOINT: `${server.endpoint}/`, HF_TOKEN: ` ${token}\n` };
    const pulled = await runCli(['pull', `${server.endpoint}/${REPOSITORY}/tree/main`], { env });
    assert.equal(pulled.code, 0, pulled.stderr);
    const out = path.join(home, 'out');
    const convert = ['convert', REPOSITORY, '--to', 'gguf:q8_0', '-o', out, '--threads', '1'];
    assert.equal((await runCli(convert, { env })).code, 0);
    const pushed = await runCli(['push', out, '--repo', 'me/new', '--create', 'public'], { env });
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.ok(server.files('me/new').has('plm-tiny-Q8_0.gguf'));
  });
});

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { hostname } from 'node:os';
import path from 'node:path';
import test, { describe, it } from 'node:test';
import { serveBundles } from '../../src/serve/serve.ts';
import { ServedHosts } from '../../src/serve/served-hosts.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const LOOPBACK = [
  'localhost',
  'LocalHost',
  'localhost.',
  'a.localhost',
  '127.0.0.1',
  '127.9.8.7',
  '[::1]',
  '[0:0::0:1]',
  '[::ffff:127.0.0.1]',
];
const FOREIGN = [
  ...[
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'notlocalhost',
    'plm.local',
    '2130706433',
    '127.1',
  ],
  ...[
    '10.0.0.1',
    '192.168.1.5',
    '8.8.8.8',
    '0.0.0.0',
    '[::]',
    '[fe80::1]',
    '[::ffff:127.0.0.1]',
    'xn--localhost',
    '.localhost.x',
  ],
];
const ADDRESSES = FOREIGN.filter((host) => net.isIP(host.replace(/[[\]]/g, '')) > 0);
const MALFORMED = [
  '',
  ' ',
  'a b',
  'localhost:',
  'localhost:99999',
  'localhost:80:80',
  '[::1',
  '::1',
  '[1.2.3.4]',
  'a@localhost',
  'a/b',
  'lo\u0441alhost',
  'http://localhost',
];

describe('a server answers to', () => {
  /** What is accepted beside the loopback names. */
  const cases: readonly [host: string, bound: string, more: readonly string[]][] = [
    ['127.0.0.1', '127.0.0.1', []],
    ['localhost', '::1', []],
    ['10.0.0.1', '10.0.0.1', ['10.0.0.1']],
    ['PLM.local.', '10.0.0.1', ['plm.local', 'PLM.LOCAL.']],
    ['FE80::0:1', 'fe80::1', ['[fe80::1]', '[FE80:0::1]']],
    ['0.0.0.0', '0.0.0.0', ADDRESSES],
    ['fe80::1%lo', 'fe80::1', ['[fe80::1]']],
    ['::', '::', [...ADDRESSES, hostname(), `${hostname()}.`]],
    // What Node resolves to all of the machine.
    ['0', '0.0.0.0', ADDRESSES],
  ];
  for (const [host, bound, more] of cases) {
    it(`loopback names and ${host}, with or without a port`, () => {
      const hosts = new ServedHosts(host, bound);
      const accepted = new Set([...LOOPBACK, ...more]);
      for (const name of accepted) {
        for (const port of ['', ':1', ':8765', ':65535'])
          assert.equal(hosts.accepts(`${name}${port}`), true, name + port);
      }
      const foreign = FOREIGN.filter((name) => !accepted.has(name));
      for (const name of foreign) assert.equal(hosts.accepts(`${name}:8765`), false, name);
      for (const text of MALFORMED) assert.equal(hosts.accepts(text), undefined, text);
    });
  }
});

test('a server of bundles refuses what is not for it', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'manifest.json'), '{}');
  const server = await serveBundles(folder, { host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  const port = Number(new URL(server.url).port);
  const requests: readonly [request: string, answer: RegExp][] = [
    ['GET /manifest.json HTTP/1.1\r\nHost: localhost\r\n', /^HTTP\/1\.1 200 .*\{\}$/s],
    ['GET /manifest.json HTTP/1.0\r\nHost: 127.0.0.1:1\r\n', /^HTTP\/1\.1 200 /],
    [
      'GET /manifest.json HTTP/1.1\r\nHost: evil.example\r\n',
      /^HTTP\/1\.1 403 .*\r\n\r\n403 Forbidden: this server does not answer to that name; .*\n$/s,
    ],
    ['HEAD / HTTP/1.1\r\nHost: evil.example:8765\r\n', /^HTTP\/1\.1 403 /],
    ['POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n', /^HTTP\/1\.1 403 /],
    ['GET /manifest.json HTTP/1.1\r\n', /^HTTP\/1\.1 400 /],
    ['GET /manifest.json HTTP/1.0\r\n', /^HTTP\/1\.1 400 /],
    ['GET /manifest.json HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n', /^HTTP\/1\.1 400 /],
    ['GET /manifest.json HTTP/1.1\r\nHost: \r\n', /^HTTP\/1\.1 400 /],
    ['GET http://evil.example/manifest.json HTTP/1.1\r\nHost: localhost\r\n', /^HTTP\/1\.1 400 /],
    ['OPTIONS * HTTP/1.1\r\nHost: localhost\r\n', /^HTTP\/1\.1 400 /],
  ];
  for (const [request, answer] of requests)
    assert.match(await exchange(port, `${request}Connection: close\r\n\r\n`), answer, request);
});

test('a server listens nowhere without a host', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'manifest.json'), '{}');
  for (const host of ['', ' ', 'a b', 'http://localhost/', '\n']) {
    await assert.rejects(
      () => serveBundles(folder, { host, port: 0 }),
      pressFailure('usage', /is not a host to listen on, expected an address or a name/),
    );
  }
});

/** What a server sends back until it closes. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('utf8').on('data', (data) => {
      answer += data;
    });
    socket.on('error', reject).on('close', () => resolve(answer));
  });
}

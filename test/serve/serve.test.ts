import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import type { PressError } from '../../src/core/errors.ts';
import { serveBundles } from '../../src/serve/serve.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const LOCAL = { host: '127.0.0.1', port: 0 };
const SHARD = 'w-0123456789abcdef.bin';

test('the server of bundles', async (t) => {
  const around = temporaryFolder(t);
  const root = path.join(around, 'bundles');
  mkdirSync(path.join(root, 'a<b', 'sub'), { recursive: true });
  mkdirSync(path.join(root, 'no-bundle'));
  mkdirSync(path.join(root, 'other'));
  writeFileSync(path.join(root, 'other', 'manifest.json'), '{}');
  writeFileSync(path.join(around, 'secret'), 'not served');
  writeFileSync(path.join(root, 'a<b', '.hidden'), 'not served');
  writeFileSync(path.join(root, 'a<b', 'manifest.json'), '{}');
  writeFileSync(path.join(root, 'a<b', 'index.html'), '<p>page');
  writeFileSync(path.join(root, 'a<b', 'page.js'), 'export {}');
  writeFileSync(path.join(root, 'a<b', SHARD), '0123456789');
  symlinkSync(path.join(around, 'secret'), path.join(root, 'a<b', 'leak.txt'));
  symlinkSync(around, path.join(root, 'a<b', 'up'));
  mkdirSync(path.join(around, 'beside'));
  writeFileSync(path.join(around, 'beside', 'manifest.json'), '{}');
  symlinkSync(path.join(around, 'beside'), path.join(root, 'led-out'));
  symlinkSync('page.js', path.join(root, 'a<b', 'inside.js'));
  const server = await serveBundles(root, LOCAL);
  t.after(() => server.close());
  const get = (file: string, init?: RequestInit) =>
    fetch(`${server.url}${file}`, { redirect: 'manual', ...init });

  await t.test('lists bundles, names escaped, and leads to their pages', async () => {
    const list = await (await get('')).text();
    assert.match(list, /<a href="a%3Cb\/">a&lt;b<\/a>/);
    assert.match(list, /<a href="other\/">other<\/a>/);
    assert.doesNotMatch(list, /no-bundle|led-out/);
    const moved = await get('a%3Cb');
    assert.deepEqual([moved.status, moved.headers.get('location')], [301, '/a%3Cb/']);
    const page = await get('a%3Cb/');
    assert.equal(await page.text(), '<p>page');
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
  });

  await t.test(
    'answers on where named pipes lie in a bundle',
    { skip: process.platform === 'win32' },
    async () => {
      const pipes = ['w-fedcba9876543210.bin', 'more.js'].map((name) => path.join(root, 'a<b', name));
      assert.equal(spawnSync('mkfifo', pipes).status, 0);
      const asked = [...Array(8).keys()].flatMap(() =>
        pipes.map((pipe) => get(`a%3Cb/${path.basename(pipe)}`)),
      );
      for (const { status } of await Promise.all(asked)) assert.equal(status, 404);
      assert.equal((await get('a%3Cb/page.js')).status, 200);
    },
  );

  await t.test('names types, and lets content-named files be kept for good', async () => {
    const shard = await get(`a%3Cb/${SHARD}`);
    assert.equal(shard.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.equal(shard.headers.get('content-type'), 'application/octet-stream');
    assert.equal(shard.headers.get('x-content-type-options'), 'nosniff');
    for (const [file, type] of [
      ['page.js', 'text/javascript; charset=utf-8'],
      ['inside.js', 'text/javascript; charset=utf-8'],
      ['manifest.json', 'application/json'],
    ] as const) {
      const { status, headers } = await get(`a%3Cb/${file}`);
      assert.deepEqual(
        [status, headers.get('content-type'), headers.get('cache-control')],
        [200, type, 'no-cache'],
      );
    }
  });

  await t.test('answers ranges', async () => {
    const ask = async (range: string, more = {}) => {
      const response = await get(`a%3Cb/${SHARD}`, { headers: { range, ...more } });
      return [response.status, response.headers.get('content-range'), await response.text()];
    };
    assert.deepEqual(await ask('bytes=2-4'), [206, 'bytes 2-4/10', '234']);
    assert.deepEqual(await ask('bytes=7-'), [206, 'bytes 7-9/10', '789']);
    assert.deepEqual(await ask('bytes=10-'), [416, 'bytes */10', '416 Range Not Satisfiable\n']);
    assert.deepEqual(await ask('bytes=0-1,3-4'), [200, null, '0123456789']);
    assert.deepEqual(await ask('bytes=2-4', { 'if-range': '"other"' }), [200, null, '0123456789']);
  });

  await t.test('answers 304 until a file changes, and HEAD without a body', async () => {
    const file = path.join(root, 'a<b', 'page.js');
    const etag = (await get('a%3Cb/page.js')).headers.get('etag')!;
    const again = () => get('a%3Cb/page.js', { headers: { 'if-none-match': etag } });
    const unchanged = await again();
    assert.deepEqual([unchanged.status, unchanged.headers.get('etag')], [304, etag]);
    utimesSync(file, 1, 1);
    assert.equal((await again()).status, 200);
    const head = await get('a%3Cb/page.js', { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '9', '']);
    assert.equal((await get('a%3Cb/page.js', { method: 'POST' })).status, 405);
  });

  await t.test('shows nothing but regular files below its folder', async () => {
    for (const target of [
      ...['/a%3Cb/.hidden', '/a%3Cb/leak.txt', '/a%3Cb/up/secret', '/a%3Cb/sub', '/a%3Cb/sub/', '/no-bundle'],
      ...['/../secret', '/%2e%2e/secret', '/a%3Cb/..%2f..%2fsecret', '/a%3Cb/../../secret', '//secret'],
      ...['/a%3Cb/page.js%00', '/a%3Cb/missing.js', '/no-bundle/', '/a%3Cb/page.js/'],
    ]) {
      assert.match(await rawStatus(server.url, target), / 404 /, target);
    }
    assert.match(await rawStatus(server.url, '/%zz'), / 400 /);
  });

  await t.test('styles the list as its policy allows', async () => {
    const response = await get('');
    const [, style] = /<style>(.*)<\/style>/s.exec(await response.text())!;
    const hash = createHash('sha256').update(style!).digest('base64');
    assert.match(response.headers.get('content-security-policy')!, /^default-src 'none'; /);
    assert.ok(response.headers.get('content-security-policy')!.includes(`style-src 'sha256-${hash}'`));
  });

  await t.test('leads to the page of the only bundle of a folder', async (t) => {
    const output = temporaryFolder(t);
    mkdirSync(path.join(output, 'webgpu-q4'));
    for (const name of ['manifest.json', 'index.html', 'page.js']) {
      writeFileSync(path.join(output, 'webgpu-q4', name), name);
    }
    for (const [folder, below] of [
      [output, 'webgpu-q4/'],
      [path.join(output, 'webgpu-q4'), ''],
    ] as const) {
      const one = await serveBundles(folder, LOCAL);
      t.after(() => one.close());
      const page = await fetch(one.url);
      assert.deepEqual([page.url, await page.text()], [`${one.url}${below}`, 'index.html']);
      assert.equal(await (await fetch(`${one.url}${below}page.js`)).text(), 'page.js');
    }
  });

  await t.test('refuses what it cannot serve', async (t) => {
    const refused = (folder: string, options = LOCAL) =>
      serveBundles(folder, options).then(
        () => assert.fail('serves'),
        (error: PressError) => [error.failure, error.message],
      );
    const empty = temporaryFolder(t);
    const { port } = new URL(server.url);
    assert.equal((await refused(empty))[0], 'invalid-input');
    assert.match((await refused(path.join(empty, 'none')))[1]!, /no such file or folder/);
    assert.match(
      (await refused(root, { ...LOCAL, port: Number(port) }))[1]!,
      /^127.0.0.1:\d+: the port is in use/,
    );
  });
});

/** The first line of the answer to an address as it stands: clients tidy them up. */
function rawStatus(url: string, target: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname, () => {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    });
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text.split('\r\n')[0]!)).on('error', reject);
  });
}

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from '../temporary-folder.ts';
import { serveFolders } from './static-server.ts';

test('the server of the browser tests', async (t) => {
  const root = temporaryFolder(t);
  mkdirSync(path.join(root, 'models'));
  writeFileSync(path.join(root, 'secret'), 'not served');
  writeFileSync(path.join(root, 'models', 'a.wasm'), '0123456789');
  const server = await serveFolders({ models: path.join(root, 'models') }, '<p>page');
  t.after(() => server.close());
  const get = (file: string, range?: string) =>
    fetch(`${server.origin}/${file}`, range === undefined ? {} : { headers: { range } });

  assert.equal(await (await get('')).text(), '<p>page');
  const whole = await get('models/a.wasm');
  assert.equal(await whole.text(), '0123456789');
  assert.equal(whole.headers.get('content-type'), 'application/wasm');
  assert.equal(whole.headers.get('cross-origin-embedder-policy'), 'require-corp');

  for (const [range, text] of [
    ['bytes=2-4', '234'],
    ['bytes=7-', '789'],
    ['bytes=8-99', '89'],
  ] as const) {
    const part = await get('models/a.wasm', range);
    assert.deepEqual([part.status, await part.text()], [206, text]);
  }
  for (const missing of ['models/b', 'models', 'nothing/a', 'models/..%2fsecret']) {
    assert.equal((await get(missing)).status, 404, missing);
  }
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { download } from '../../src/hub/download.ts';
import { apiFetch } from '../../src/hub/http/api-fetch.ts';
import { request } from '../../src/hub/http/request.ts';
import { hubSettings } from '../../src/hub/settings.ts';
import { Refusals } from '../../src/io/refusals.ts';
import { TOKEN } from '../support/fakes/hub-server.ts';
import { setGlobal } from '../support/fakes/set-global.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('the token goes to no other server, though a caller has put it into headers', async (t) => {
  const asked: [url: string, token: string | null][] = [];
  setGlobal(t, 'fetch', async ({ href }: URL, { headers }: { headers: Headers }) => {
    asked.push([href, headers.get('Authorization')]);
    const isHub = href.startsWith('https://hub.example/');
    return isHub ? Response.redirect('https://hub.example:8443/blob', 302) : new Response('{}');
  });
  const settings = hubSettings({ HF_ENDPOINT: 'https://hub.example', HF_TOKEN: TOKEN, HOME: '/nonexistent' });
  for (const sent of [`Bearer ${TOKEN}`, 'Bearer key-of-the-store']) {
    const headers = new Headers({ Authorization: sent });
    await request({ settings }, 'config.json', 'https://hub.example/config.json', { headers });
  }
  const [hub, store] = ['https://hub.example/config.json', 'https://hub.example:8443/blob'];
  const ours = `Bearer ${TOKEN}`;
  assert.deepEqual(asked, [
    [hub, ours],
    [store, null],
    [hub, ours],
    [store, 'Bearer key-of-the-store'],
  ]);
});

test('nothing goes from https to http', async (t) => {
  const asked: { url: string; token: string | null }[] = [];
  setGlobal(t, 'fetch', async (url: URL, { headers }: { headers: Headers }) => {
    asked.push({ url: url.href, token: headers.get('Authorization') });
    return new Response(null, { status: 302, headers: { Location: 'http://hub.example/config.json' } });
  });
  const settings = hubSettings({ HF_ENDPOINT: 'https://hub.example', HF_TOKEN: TOKEN, HOME: '/nonexistent' });
  await assert.rejects(
    request({ settings }, 'config.json', 'https://hub.example/config.json'),
    pressFailure('network', /^config\.json: leads from https to http:$/),
  );
  assert.deepEqual(asked, [{ url: 'https://hub.example/config.json', token: `Bearer ${TOKEN}` }]);
});

test('a file gets its name only while the lock is held', async (t) => {
  setGlobal(t, 'fetch', async () => new Response('there'));
  const settings = hubSettings({ HF_ENDPOINT: 'https://hub.example', HOME: '/nonexistent' });
  const file = { path: 'x', bytes: 5, oid: createHash('sha256').update('there').digest('hex') };
  const origin = { repository: 'a/b', revision: 'a'.repeat(40) };
  for (const isHeld of [false, true]) {
    const destination = path.join(temporaryFolder(t), 'x');
    const confirm = () => (isHeld ? Promise.resolve() : Promise.reject(new Error('taken over')));
    const work = download({ settings, origin, file, destination, refusals: new Refusals(), confirm });
    await (isHeld ? work : assert.rejects(work, { message: 'taken over' }));
    assert.equal(existsSync(destination), isHeld);
  }
});

test('five redirects are followed', async (t) => {
  setGlobal(t, 'fetch', async ({ href }: URL) => {
    const hop = Number(href.at(-1));
    return hop === 5 ? new Response('there') : Response.redirect(`https://hub.example/${hop + 1}`, 302);
  });
  const settings = hubSettings({ HF_ENDPOINT: 'https://hub.example', HOME: '/nonexistent' });
  const { response } = await request({ settings }, 'config.json', 'https://hub.example/0');
  assert.equal(await response.text(), 'there');
});

for (const [repeatable, tries] of [
  [true, 2],
  [false, 1],
] as const) {
  test(`a request that may ${repeatable ? '' : 'not '}be made twice, and whose answer is 500`, async (t) => {
    let asked = 0;
    setGlobal(t, 'fetch', async () => new Response(null, { status: ++asked === 1 ? 500 : 200 }));
    const settings = {
      ...hubSettings({ HF_ENDPOINT: 'https://hub.example', HOME: '/nonexistent' }),
      pauses: [1],
    };
    const answer = request({ settings }, 'x', 'https://hub.example/x', { repeatable });
    await (repeatable ? answer : assert.rejects(answer, pressFailure('network', /\(500\)$/)));
    assert.equal(asked, tries);
  });
}

test('a commit that the server is too busy for is asked for again', async (t) => {
  let asked = 0;
  setGlobal(t, 'fetch', async () => new Response(null, { status: ++asked === 1 ? 429 : 200 }));
  const settings = {
    ...hubSettings({ HF_ENDPOINT: 'https://hub.example', HOME: '/nonexistent' }),
    pauses: [1],
  };
  await request({ settings }, 'x', 'https://hub.example/x', { repeatable: false });
  assert.equal(asked, 2);
});

test('only commits and repositories are not made twice', async (t) => {
  const asked: string[] = [];
  setGlobal(t, 'fetch', async ({ pathname }: URL) => {
    asked.push(pathname);
    return new Response(null, { status: 500 });
  });
  const settings = {
    ...hubSettings({ HF_ENDPOINT: 'https://hub.example', HOME: '/nonexistent' }),
    pauses: [1],
  };
  const ask = apiFetch({ settings }, 'x');
  for (const way of ['/api/models/a/b/commit/main', '/api/repos/create', '/api/models/a/b/preupload/main'])
    await assert.rejects(ask(`https://hub.example${way}`, { method: 'POST', body: '{}' }));
  assert.deepEqual(asked, [
    ...['/api/models/a/b/commit/main', '/api/repos/create'],
    ...['/api/models/a/b/preupload/main', '/api/models/a/b/preupload/main'],
  ]);
});

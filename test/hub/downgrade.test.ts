import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from '../../src/hub/request.ts';
import { hubSettings } from '../../src/hub/settings.ts';
import { TOKEN } from '../support/hub-server.ts';
import { pressFailure } from '../support/press-failure.ts';
import { setGlobal } from '../support/set-global.ts';

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

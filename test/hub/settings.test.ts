import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { hubSettings } from '../../src/hub/settings.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const HOME = { HOME: '/nobody' };

describe('settings of the Hub', () => {
  it('are those of a machine without any', () => {
    const { endpoint, cache, offline, timeout, token } = hubSettings(HOME);
    assert.deepEqual(
      { endpoint, cache, offline, timeout, token },
      {
        endpoint: 'https://huggingface.co',
        cache: '/nobody/.cache/huggingface/hub',
        offline: false,
        timeout: 10_000,
        token: undefined,
      },
    );
  });

  it('find the cache as huggingface_hub does', () => {
    const cache = (env: NodeJS.ProcessEnv) => hubSettings({ ...HOME, ...env }).cache;
    assert.equal(cache({ XDG_CACHE_HOME: '/x' }), '/x/huggingface/hub');
    assert.equal(cache({ XDG_CACHE_HOME: '/x', HF_HOME: '/h' }), '/h/hub');
    assert.equal(cache({ HF_HOME: '/h', HUGGINGFACE_HUB_CACHE: '/old' }), '/old');
    assert.equal(cache({ HF_HOME: '/h', HUGGINGFACE_HUB_CACHE: '/old', HF_HUB_CACHE: '/c' }), '/c');
  });

  it('find the token as huggingface_hub does', (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(path.join(folder, 'token'), 'hf_ofHome\n');
    writeFileSync(path.join(folder, 'other'), 'hf_ofPath');
    const token = (env: NodeJS.ProcessEnv) => hubSettings({ ...HOME, HF_HOME: folder, ...env }).token;
    assert.equal(token({}), 'hf_ofHome');
    assert.equal(token({ HF_TOKEN_PATH: path.join(folder, 'other') }), 'hf_ofPath');
    assert.equal(token({ HF_TOKEN: ' hf_given ' }), 'hf_given');
    assert.equal(token({ HF_TOKEN_PATH: path.join(folder, 'missing') }), undefined);
  });

  it('know the words for yes', () => {
    for (const word of ['1', 'on', 'YES', 'true'])
      assert.ok(hubSettings({ ...HOME, HF_HUB_OFFLINE: word }).offline);
    for (const word of ['', '0', 'no']) assert.ok(!hubSettings({ ...HOME, HF_HUB_OFFLINE: word }).offline);
  });

  it('take other endpoints', () => {
    assert.equal(
      hubSettings({ ...HOME, HF_ENDPOINT: 'https://hub.example/base/' }).endpoint,
      'https://hub.example/base',
    );
  });

  const WRONG: readonly NodeJS.ProcessEnv[] = [
    { HF_ENDPOINT: 'hub.example' },
    { HF_ENDPOINT: 'file:///etc' },
    { HF_ENDPOINT: 'https://me:secret@hub.example' },
    { HF_TOKEN: 'hf_line\nX-Header: 1' },
    { HF_TOKEN: 'hf_ü-is-no-letter' },
    { HF_TOKEN: 'short' },
    { HF_HUB_DOWNLOAD_TIMEOUT: 'soon' },
    { HF_HUB_DOWNLOAD_TIMEOUT: '-1' },
  ];
  for (const env of WRONG) {
    it(`refuse ${JSON.stringify(env)}, and repeat no secret`, () => {
      assert.throws(
        () => hubSettings({ ...HOME, ...env }),
        (error: Error) => {
          assert.ok(!/secret|X-Header|line/.test(error.message.replace('on one line', '')), error.message);
          return pressFailure('usage', /^HF_\w+ (is|holds)/)(error);
        },
      );
    });
  }
});

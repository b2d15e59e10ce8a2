import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
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

  it('expand ~ and variables as Python does', () => {
    const env = { HOME: '/people/me', SCRATCH: '/scratch', EMPTY: '' };
    const cache = (more: NodeJS.ProcessEnv) => hubSettings({ ...env, ...more }).cache;
    assert.equal(cache({ HF_HOME: '~/x' }), '/people/me/x/hub');
    assert.equal(cache({ HF_HOME: '~' }), '/people/me/hub');
    assert.equal(cache({ HF_HOME: '$SCRATCH/x' }), '/scratch/x/hub');
    assert.equal(cache({ HF_HOME: `\${SCRATCH}/x` }), '/scratch/x/hub');
    assert.equal(cache({ HF_HUB_CACHE: '$SCRATCH$EMPTY/c' }), '/scratch/c');
    assert.equal(cache({ HUGGINGFACE_HUB_CACHE: '~/c' }), '/people/me/c');
    assert.equal(cache({ XDG_CACHE_HOME: '$SCRATCH' }), '/scratch/huggingface/hub');
    // What is not set stays, and so does a ~ inside.
    assert.equal(cache({ HF_HOME: `/a/$NOBODY/~/\${NO}` }), `/a/$NOBODY/~/\${NO}/hub`);
    assert.equal(cache({ HF_HOME: '', HF_HUB_CACHE: '' }), '/people/me/.cache/huggingface/hub');
    assert.equal(hubSettings({ ...env, HF_HOME: '~/x' }).assets, '/people/me/x/assets');
    assert.equal(hubSettings({ ...env, HF_ASSETS_CACHE: '~/a' }).assets, '/people/me/a');
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
    assert.equal(token({ HF_TOKEN_PATH: '/dev/null' }), undefined);
    assert.equal(token({ HF_TOKEN_PATH: '$DIR/other', DIR: folder }), 'hf_ofPath');
    assert.equal(token({ HF_TOKEN: ' \n', HUGGING_FACE_HUB_TOKEN: '\nhf_old\r\n' }), 'hf_old');
    writeFileSync(path.join(folder, 'other'), '\uFEFFhf_marked\r\n');
    assert.equal(token({ HF_TOKEN_PATH: path.join(folder, 'other') }), 'hf_marked');
    assert.equal(token({ HF_TOKEN: 'hf_given', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' }), undefined);
    assert.equal(token({ HF_TOKEN: 'hf_given', HF_HUB_DISABLE_IMPLICIT_TOKEN: '0' }), 'hf_given');
    // What servers between this machine and the Hub give out.
    const signed = 'eyJhbGciOi.eyJzdWIi+/.x_-~==';
    assert.equal(token({ HF_TOKEN: signed }), signed);
  });

  it('read no token of what is no file', (t) => {
    const fifo = path.join(temporaryFolder(t), 'fifo');
    execFileSync('mkfifo', [fifo]);
    assert.throws(
      () => hubSettings({ ...HOME, HF_TOKEN_PATH: fifo }),
      pressFailure('local-io', /fifo: is not a regular file, so no token can be read from it$/),
    );
  });

  it('know the words for yes', () => {
    for (const word of ['1', 'on', 'YES', 'true'])
      assert.ok(hubSettings({ ...HOME, HF_HUB_OFFLINE: word }).offline);
    for (const word of ['', '0', 'no']) assert.ok(!hubSettings({ ...HOME, HF_HUB_OFFLINE: word }).offline);
    assert.ok(hubSettings({ ...HOME, TRANSFORMERS_OFFLINE: '1' }).offline);
    assert.ok(hubSettings({ ...HOME, HF_HUB_OFFLINE: '', TRANSFORMERS_OFFLINE: 'Yes' }).offline);
    assert.ok(!hubSettings({ ...HOME, HF_HUB_OFFLINE: '0', TRANSFORMERS_OFFLINE: '1' }).offline);
    assert.ok(!hubSettings({ ...HOME, HF_HUB_DISABLE_SYMLINKS: 'True' }).symlinks);
  });

  it('take the default for a timeout of zero', () => {
    const timeout = (text: string) => hubSettings({ ...HOME, HF_HUB_DOWNLOAD_TIMEOUT: text }).timeout;
    assert.deepEqual([timeout('0'), timeout(''), timeout('7')], [10_000, 10_000, 7000]);
  });

  it('take other endpoints', () => {
    const endpoint = (text: string) => hubSettings({ ...HOME, HF_ENDPOINT: text }).endpoint;
    assert.equal(endpoint('https://hub.example/base/'), 'https://hub.example/base');
    assert.equal(endpoint('https://hub.example//'), 'https://hub.example');
    assert.equal(endpoint(' http://hub.example:8080\n'), 'http://hub.example:8080');
  });

  const WRONG: readonly NodeJS.ProcessEnv[] = [
    { HF_ENDPOINT: 'hub.example' },
    { HF_ENDPOINT: 'file:///etc' },
    { HF_ENDPOINT: 'https://me:secret@hub.example' },
    { HF_TOKEN: 'hf_line\nX-Header: 1' },
    { HF_TOKEN: 'hf_ü-is-no-letter' },
    { HF_TOKEN: 'two words' },
    { HF_HOME: '~nobody/x' },
    { HF_HUB_DOWNLOAD_TIMEOUT: 'soon' },
    { HF_HUB_DOWNLOAD_TIMEOUT: '-1' },
  ];
  for (const env of WRONG) {
    it(`refuse ${JSON.stringify(env)}, and repeat no secret`, () => {
      assert.throws(
        () => hubSettings({ ...HOME, ...env }),
        (error: Error) => {
          assert.ok(!/secret|X-Header|line/.test(error.message.replace('on one line', '')), error.message);
          return pressFailure('usage', /^HF_\w+ (is|holds|begins)/)(error);
        },
      );
    });
  }
});

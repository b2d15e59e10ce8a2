import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { BINARY, runCli, spawnCli } from '../support/drivers/run-cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('serve', () => {
  for (const [flags, signal, urlOf] of [
    [[], 'SIGINT', (text: string) => text.trim()],
    [['--json'], 'SIGTERM', (text: string) => JSON.parse(text).url],
  ] as const) {
    it(`${flags.join(' ')} prints the address, and stops on ${signal} with 0 and without a word of error`, async (t) => {
      const folder = temporaryFolder(t);
      writeFileSync(path.join(folder, 'manifest.json'), '{}');
      const child = spawn(process.execPath, [BINARY, 'serve', folder, '--port', '0', '--quiet', ...flags]);
      t.after(() => child.kill('SIGKILL'));
      const [text] = await once(child.stdout.setEncoding('utf8'), 'data');
      const url = urlOf(text);
      assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
      assert.equal(await (await fetch(`${url}manifest.json`)).text(), '{}');
      let told = '';
      child.stderr.setEncoding('utf8').on('data', (text) => {
        told += text;
      });
      child.kill(signal);
      assert.deepEqual([...(await once(child, 'close')), told], [0, null, '']);
    });
  }

  it('says what browsers of other machines need', async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(path.join(folder, 'manifest.json'), '{}');
    const argv = ['serve', folder, '--port', '0', '--host', '0.0.0.0'];
    const { code, stderr } = await spawnCli(argv, (text, kill) => {
      if (text.endsWith('put an https server in front of this one\n')) kill('SIGINT');
    });
    assert.equal(code, 0);
    assert.match(stderr, /\nplmpress: stopped\n$/);
  });

  it('refuses a folder without bundles', async (t) => {
    const { code, stderr } = await runCli(['serve', temporaryFolder(t)]);
    assert.equal(code, 3);
    assert.match(stderr, /contains no WebGPU bundle, expected manifest\.json/);
  });
});

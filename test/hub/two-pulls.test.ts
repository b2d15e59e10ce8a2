import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import { waitForLock } from '../../src/hub/cache/wait-for-lock.ts';
import { FileLock } from '../../src/io/locks/file-lock.ts';
import { checkpointFiles, NEEDED, REPOSITORY } from '../support/builders/hub-checkpoint.ts';
import { spawnCli } from '../support/drivers/run-cli.ts';
import { HubServer } from '../support/fakes/hub-server.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FILES = checkpointFiles();

async function start(t: TestContext) {
  const server = await HubServer.start(t);
  server.commit(REPOSITORY, FILES);
  const home = temporaryFolder(t);
  // The first answers come late, so that both processes want the same file at once.
  server.misbehaviours.push(async ({ url }) => {
    if (url.includes('/resolve/')) await new Promise((resolve) => setTimeout(resolve, 300));
    return false;
  });
  const env = { ...server.env(home), HF_HUB_DOWNLOAD_TIMEOUT: '30' };
  return { server, home, both: (...argv: string[]) => [0, 1].map(() => spawnCli(argv, undefined, env)) };
}

describe('two processes that pull one model at once both succeed', () => {
  for (const place of ['the cache', 'a folder'] as const) {
    it(`into ${place}, with one transfer of each file`, async (t) => {
      const { server, home, both } = await start(t);
      const output = path.join(home, 'out');
      const runs = both('pull', REPOSITORY, ...(place === 'a folder' ? ['-o', output] : []), '--json');
      for (const { code, stdout, stderr } of await Promise.all(runs)) {
        assert.equal(code, 0, stderr);
        const { folder } = JSON.parse(stdout);
        assert.deepEqual(readdirSync(folder).sort(), NEEDED);
        for (const name of NEEDED) assert.deepEqual(readFileSync(path.join(folder, name)), FILES[name]);
      }
      assert.equal(server.contentRequests('model.safetensors').length, 1);
    });
  }
});

it('a run that waits for another says so, and goes on', async (t) => {
  const at = path.join(temporaryFolder(t), 'lock');
  const first = await FileLock.acquire(at, 'x');
  const notes: string[] = [];
  const progress = (event: ProgressEvent) => {
    if (event.kind !== 'note') return;
    notes.push(event.message);
    void first.release();
  };
  const second = await waitForLock(at, 'x', { progress });
  assert.equal(notes.length, 1);
  assert.match(notes[0]!, /^waiting: x: locked by /);
  await second.release();
});

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import test, { describe, it, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FileLock } from '../../src/io/locks/file-lock.ts';
import { BEAT, LEASE } from '../../src/io/locks/lease.ts';
import { LOCK_NAME } from '../../src/io/locks/locked-folder.ts';
import { ownPlace } from '../../src/io/locks/place.ts';
import { isAlive, ownIdentity } from '../../src/io/locks/process-identity.ts';
import { removeStaleTemporaries } from '../../src/io/staging/temporary-file.ts';
import { deadPid } from '../support/dead-pid.ts';
import { setBuiltin } from '../support/fakes/set-builtin.ts';
import { pressFailure } from '../support/press-failure.ts';
import { assertRejects } from '../support/rejects.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const acquire = (folder: string) => FileLock.acquire(path.join(folder, LOCK_NAME), folder);

function writeLock(folder: string, content: unknown): void {
  writeFileSync(
    path.join(folder, LOCK_NAME),
    typeof content === 'string' ? content : JSON.stringify(content),
  );
}

test('a lock names its process, keeps others out and goes when released', async (t) => {
  const folder = temporaryFolder(t);
  const lock = await acquire(folder);
  const { key, ...holder } = JSON.parse(readFileSync(path.join(folder, LOCK_NAME), 'utf8'));
  assert.match(key, /^[0-9a-f]{16}$/);
  assert.deepEqual(holder, { ...(await ownIdentity()), ...ownPlace() });
  await lock.assertHeld();
  const locked = { failure: 'locked', message: new RegExp(`locked by process ${process.pid}$`) } as const;
  await assertRejects(folder, () => acquire(folder), locked);
  await lock.release();
  assert.deepEqual(readdirSync(folder), []);
  await (await acquire(folder)).release();
});

describe('a lock that nobody holds is taken over', () => {
  const cases: readonly [name: string, content: () => unknown][] = [
    ['its process has ended', () => ({ pid: deadPid(), started: '1', host: 'h', place: ownPlace().place })],
    ['its process has ended, and plmpress 0.1 has written it', () => ({ pid: deadPid(), started: '1' })],
    ['its process has ended, and the system tells no start times', () => ({ pid: deadPid() })],
    ['its process number is used again', () => ({ pid: process.pid, started: '1' })],
    ['its run was killed before it was written', () => ''],
    ['it is not JSON', () => '{"pid":'],
    ['it names no process', () => ({ pid: 'x' })],
    ['it names all processes of a group', () => ({ pid: -1 })],
  ];
  for (const [name, content] of cases) {
    it(name, {
      skip: name.includes('used again') && process.platform !== 'linux' && 'no /proc',
    }, async (t) => {
      const folder = temporaryFolder(t);
      writeLock(folder, content());
      const lock = await acquire(folder);
      await lock.assertHeld();
      assert.deepEqual(readdirSync(folder), [LOCK_NAME], 'nothing else is left');
      await lock.release();
    });
  }
});

test('of many runs that find a stale lock, at most one gets it', (t) => assertOneTakesOver(t));

async function assertOneTakesOver(t: TestContext): Promise<void> {
  const folder = temporaryFolder(t);
  writeLock(folder, { pid: deadPid(), started: '1' });
  const runs = await Promise.allSettled(Array.from({ length: 20 }, () => acquire(folder)));
  const holders: FileLock[] = [];
  for (const run of runs) {
    if (run.status === 'rejected') assert.equal(run.reason.failure, 'locked', String(run.reason));
    else if (
      await run.value.assertHeld().then(
        () => true,
        () => false,
      )
    )
      holders.push(run.value);
  }
  assert.equal(holders.length, 1);
  await holders[0]!.release();
  assert.deepEqual(readdirSync(folder), []);
}

/** Sets the time of the lock back, as if its run had given no sign of life since. */
function silence(folder: string, milliseconds: number): void {
  const then = new Date(Date.now() - milliseconds);
  utimesSync(path.join(folder, LOCK_NAME), then, then);
}

describe('a lock of another machine or container', () => {
  // Its number is that of a process here, and of none: neither says anything.
  for (const pid of [process.pid, deadPid()]) {
    const holder = { pid, started: '1', host: 'elsewhere', place: '0123456789abcdef', key: 'x' };
    const kept: readonly [name: string, silence: number][] = [
      ['that was renewed just now', 0],
      ['whose run has been stopped for a while', LEASE / 2],
      ['whose time is in the future', -2 * LEASE],
    ];
    for (const [name, milliseconds] of kept) {
      it(`${name} is kept`, async (t) => {
        const folder = temporaryFolder(t);
        writeLock(folder, holder);
        silence(folder, milliseconds);
        const message = new RegExp(
          `locked by process ${pid} of another container or machine \\(elsewhere\\), last seen \\d+ s ago; ` +
            `if that run has ended, wait \\d+ s or remove ${LOCK_NAME}$`,
        );
        await assertRejects(folder, () => acquire(folder), { failure: 'locked', message });
      });
    }

    it('that was not renewed for a lease is taken over', async (t) => {
      const folder = temporaryFolder(t);
      writeLock(folder, holder);
      silence(folder, LEASE + 1000);
      const lock = await acquire(folder);
      await lock.assertHeld();
      await lock.release();
      assert.deepEqual(readdirSync(folder), []);
    });
  }

  it('is compared by the clock of the file system, not by that of this machine', async (t) => {
    const folder = temporaryFolder(t);
    writeLock(folder, { pid: 1, started: '1', host: 'elsewhere', place: '0123456789abcdef' });
    t.mock.method(Date, 'now', () => 4e12);
    await assertRejects(folder, () => acquire(folder), {
      failure: 'locked',
      message: /last seen 1?\d s ago/,
    });
  });
});

const NO_CONTAINERS: string | false =
  (ownPlace().namespace !== 'pid:[4026531836]' && 'this process sees no processes of other namespaces') ||
  (spawnSync('unshare', ['--pid', '--fork', 'true']).status !== 0 &&
    'unshare is not installed or not allowed');

test('a lock of a container of this machine is held while its process is there', {
  skip: NO_CONTAINERS,
}, async (t) => {
  const folder = temporaryFolder(t);
  const tell = `
    const { readFileSync, readlinkSync } = require('node:fs');
    const started = readFileSync('/proc/self/stat', 'latin1').replace(/^.*\\) /, '').split(' ')[19];
    console.log(JSON.stringify({ pid: process.pid, started, namespace: readlinkSync('/proc/self/ns/pid') }));
    process.stdin.resume();`;
  const container = spawn('unshare', ['--pid', '--fork', '--kill-child', process.execPath, '-e', tell]);
  t.after(() => container.kill('SIGKILL'));
  const [line] = await once(container.stdout, 'data');
  const holder = { ...ownPlace(), ...JSON.parse(`${line}`), place: '0123456789abcdef' };
  const left = `.x.tmp-${holder.pid}-0123456700000000`;
  writeFileSync(path.join(folder, left), '');
  writeLock(folder, holder);
  silence(folder, 10 * LEASE);
  await assertRejects(folder, () => acquire(folder), {
    failure: 'locked',
    message: /locked by process \d+ of a container \(.+\)$/,
  });
  // Another boot counts as another machine, whose processes nobody sees here.
  writeLock(folder, { ...holder, boot: 'another' });
  await assertRejects(folder, () => acquire(folder), { failure: 'locked', message: /last seen \d+ s ago/ });
  container.kill('SIGKILL');
  await once(container, 'exit');
  writeLock(folder, holder);
  const lock = await acquire(folder);
  await removeStaleTemporaries(folder, lock);
  await lock.release();
  assert.deepEqual(readdirSync(folder), []);
});

test('a lock of this place is not judged by its time: its process may have been stopped', async (t) => {
  const folder = temporaryFolder(t);
  const lock = await acquire(folder);
  silence(folder, 10 * LEASE);
  await assert.rejects(acquire(folder), pressFailure('locked', /locked by process \d+$/));
  await lock.release();
});

test('a run renews its lock while it holds it, and no other', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const folder = temporaryFolder(t);
  const file = path.join(folder, LOCK_NAME);
  const lock = await acquire(folder);
  const content = readFileSync(file, 'utf8');
  for (let beat = 0; beat < 2; beat++) {
    silence(folder, LEASE);
    while (statSync(file).mtimeMs < lock.since) {
      t.mock.timers.tick(BEAT);
      await nextTurn();
    }
    assert.equal(readFileSync(file, 'utf8'), content);
  }
  await fs.rename(file, `${file}.stale`);
  writeLock(folder, 'of another run');
  silence(folder, LEASE);
  t.mock.timers.tick(BEAT);
  await lock.release();
  assert.equal(readFileSync(file, 'utf8'), 'of another run');
  assert.ok(statSync(file).mtimeMs < lock.since);
});

describe('file systems that know no links', () => {
  for (const code of ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES', 'EMLINK']) {
    it(code, async (t) => {
      setBuiltin(t, fs, 'link', async () => {
        throw Object.assign(new Error(code), { code });
      });
      const folder = temporaryFolder(t);
      const lock = await acquire(folder);
      await lock.assertHeld();
      assert.deepEqual(readdirSync(folder), [LOCK_NAME]);
      await assertRejects(folder, () => acquire(folder), { failure: 'locked', message: /locked by process/ });
      await lock.release();
      assert.deepEqual(readdirSync(folder), []);
      if (code === 'EPERM') await assertOneTakesOver(t);
    });
  }

  it('a server that has made the link, but answers that it is there already', async (t) => {
    const { link } = fs;
    setBuiltin(t, fs, 'link', async (...paths) => {
      await link(...paths);
      throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' });
    });
    const folder = temporaryFolder(t);
    await (await acquire(folder)).release();
    assert.deepEqual(readdirSync(folder), []);
  });
});

test('a run whose lock was taken over notices, and leaves the lock of the other', async (t) => {
  const folder = temporaryFolder(t);
  const lock = await acquire(folder);
  writeLock(folder, 'of another run');
  await assertRejects(folder, () => lock.assertHeld(), {
    failure: 'locked',
    message: /taken over by another run$/,
  });
  await lock.release();
  assert.equal(readFileSync(path.join(folder, LOCK_NAME), 'utf8'), 'of another run');
});

describe('what is no lock is left alone', () => {
  const cases: readonly [name: string, make: (lockPath: string) => void][] = [
    ['a folder', (lockPath) => mkdirSync(lockPath)],
    ['a link', (lockPath) => symlinkSync('elsewhere', lockPath)],
    ['a large file', (lockPath) => writeFileSync(lockPath, Buffer.alloc(5000))],
    ['a named pipe', (lockPath) => assert.equal(spawnSync('mkfifo', [lockPath]).status, 0)],
  ];
  for (const [name, make] of cases) {
    it(name, async (t) => {
      const folder = temporaryFolder(t);
      make(path.join(folder, LOCK_NAME));
      const expected = { failure: 'local-io', message: /is not a lock of plmpress$/ } as const;
      await assertRejects(folder, () => acquire(folder), expected);
    });
  }
});

test('a stale lock that cannot be moved aside is told of, and stays', async (t) => {
  const folder = temporaryFolder(t);
  // Long enough that the hidden name beside it is too long.
  const lockPath = path.join(folder, 'x'.repeat(250));
  writeFileSync(lockPath, JSON.stringify({ pid: deadPid() }));
  const run = () => FileLock.acquire(lockPath, 'out');
  await assertRejects(folder, run, { failure: 'local-io', message: /^out: name too long \(ENAMETOOLONG\)$/ });
});

test('a process is alive until it has ended', async () => {
  assert.equal(await isAlive(await ownIdentity()), true);
  assert.equal(await isAlive({ pid: process.pid, started: undefined }), true);
  assert.equal(await isAlive({ pid: deadPid(), started: undefined }), false);
});

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { describe, it } from 'node:test';
import { FileLock } from '../../src/io/file-lock.ts';
import { isAlive, ownIdentity } from '../../src/io/process-identity.ts';
import { LOCK_NAME } from '../../src/io/staged-output.ts';
import { deadPid } from '../support/dead-pid.ts';
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
  const { pid, started } = JSON.parse(readFileSync(path.join(folder, LOCK_NAME), 'utf8'));
  assert.deepEqual({ pid, started }, await ownIdentity());
  await lock.assertHeld();
  const locked = { failure: 'locked', message: new RegExp(`locked by process ${process.pid}$`) } as const;
  await assertRejects(folder, () => acquire(folder), locked);
  await lock.release();
  assert.deepEqual(readdirSync(folder), []);
  await (await acquire(folder)).release();
});

describe('a lock that nobody holds is taken over', () => {
  const cases: readonly [name: string, content: () => unknown][] = [
    ['its process has ended', () => ({ pid: deadPid(), started: '1' })],
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

test('of many runs that find a stale lock, at most one gets it', async (t) => {
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

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import test, { describe, it, type TestContext } from 'node:test';
import { assertFreeSpace, freeBytes } from '../../src/io/free-space.ts';
import { replaceFile } from '../../src/io/staging/replace-file.ts';
import { type StagedOutput, withStagedOutput } from '../../src/io/staging/staged-output.ts';
import { STAGING_NAME } from '../../src/io/staging/staging-folder.ts';
import { setBuiltin } from '../support/fakes/set-builtin.ts';
import { changeHandles } from '../support/file-handles.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const failure = (code: string) => Object.assign(new Error(code), { code });

/** Codes of file systems that do not have an operation. The last is ENOTSUPP of Linux. */
const REFUSALS = [
  ...['ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'EPERM', 'EACCES', 'EBADF', 'EISDIR', 'ENOTTY'],
  'Unknown system error -524',
];
const FAILURES = ['EIO', 'ENOSPC', 'EDQUOT', 'ESTALE', 'EROFS', 'ENXIO', 'a code that nobody knows'];

type Operation = 'chmod' | 'sync' | 'truncate';

/** Until the test ends, no open file has the operations. */
function refuse(t: TestContext, code: string, ...operations: readonly Operation[]): void {
  changeHandles(t, (handle: FileHandle) => {
    for (const operation of operations) {
      handle[operation] = async () => {
        throw failure(code);
      };
    }
  });
}

/** Writes `a` and a record of it into `folder`, over an older one, and returns what was told. */
async function write(folder: string, content: string, resume?: string): Promise<string[]> {
  const notes: string[] = [];
  const work = async (output: StagedOutput) => {
    const bytes = content.length + 1;
    await output.stage([{ name: 'a', bytes }], { force: true, inputs: [] });
    await output.write('a', Buffer.from(content), 0);
    await output.seal();
    await output.publish({ name: 'record', content: Buffer.from('{}'), meanwhile: 'nothing' });
  };
  await withStagedOutput(folder, work, {
    ...(resume !== undefined && { resume }),
    progress: (event) => event.kind === 'note' && notes.push(event.message),
  });
  return notes;
}

/** A folder with an older `a` and its record. */
function usedFolder(t: TestContext): string {
  const folder = path.join(temporaryFolder(t), 'out');
  mkdirSync(folder);
  for (const name of ['a', 'record']) writeFileSync(path.join(folder, name), 'old');
  return folder;
}

const contentOf = (folder: string) =>
  readdirSync(folder).map((name) => readFileSync(path.join(folder, name), 'utf8'));

describe('what a file system does not have is no reason to lose a file', () => {
  const notes: Readonly<Record<Operation, RegExp | undefined>> = {
    chmod: /^the file system of \S+ sets no permissions: the files are whole$/,
    sync: /^the file system of \S+ does not confirm that files are on the disk: the files are whole, but a power failure/,
    truncate: undefined,
  };
  for (const [operation, note] of Object.entries(notes) as [Operation, RegExp | undefined][]) {
    for (const code of REFUSALS) {
      it(`${operation}: ${code}`, async (t) => {
        const folder = usedFolder(t);
        refuse(t, code, operation);
        const told = await write(folder, 'new', code === 'ENOSYS' ? 'work' : undefined);
        assert.deepEqual(contentOf(folder), ['new\0', '{}']);
        assert.equal(told.length, note === undefined ? 0 : 1);
        if (note !== undefined) assert.match(told[0]!, note);
      });
    }
    for (const code of FAILURES) {
      it(`${operation} that fails is told: ${code}`, async (t) => {
        const folder = usedFolder(t);
        refuse(t, code, operation);
        await assert.rejects(write(folder, 'new'), pressFailure('local-io', /^(a|record|.*out): /));
        assert.deepEqual(contentOf(folder), ['old', 'old']);
      });
    }
  }

  it('a small file that does not get to the disk does not get its name', async (t) => {
    const folder = usedFolder(t);
    refuse(t, 'EIO', 'sync');
    const file = path.join(folder, 'a');
    await assert.rejects(replaceFile(file, Buffer.from('new')), pressFailure('local-io', /EIO/));
    assert.deepEqual(contentOf(folder), ['old', 'old']);
  });

  it('several are told in one note', async (t) => {
    const folder = usedFolder(t);
    refuse(t, 'ENOTSUP', 'chmod', 'sync');
    const [note, ...more] = await write(folder, 'new');
    assert.match(note!, /sets no permissions and does not confirm that files are on the disk/);
    assert.deepEqual(more, []);
  });

  it('a folder that cannot be opened to be synced', async (t) => {
    const folder = usedFolder(t);
    const { open } = fs;
    setBuiltin(t, fs, 'open', async (...call) => {
      if (call[0] === folder) throw failure('EACCES');
      return open(...call);
    });
    assert.equal((await write(folder, 'new')).length, 1);
    assert.deepEqual(contentOf(folder), ['new\0', '{}']);
  });
});

test('a staged file that did not get to the disk is not sealed, and no later run goes on with it', async (t) => {
  const folder = path.join(temporaryFolder(t), 'out');
  const files = () => readdirSync(path.join(folder, STAGING_NAME)).filter((name) => /^\d+$/.test(name));
  refuse(t, 'EIO', 'sync');
  const run = withStagedOutput(
    folder,
    async (output) => {
      await output.journal!.append('x');
      await output.stage([{ name: 'a', bytes: 1 }], { force: false, inputs: [] });
      assert.deepEqual(files(), ['0']);
      await output.seal();
    },
    { resume: 'work' },
  );
  await assert.rejects(run, pressFailure('local-io', /^a: .*EIO/));
  assert.deepEqual(files(), []);
});

test('a staged file that is too long and cannot be cut is not used', async (t) => {
  const folder = path.join(temporaryFolder(t), 'out');
  const stopped = withStagedOutput(
    folder,
    async (output) => {
      await output.journal!.append('x');
      await output.stage([{ name: 'a', bytes: 9 }], { force: false, inputs: [] });
      throw new Error('stopped');
    },
    { resume: 'work' },
  );
  await assert.rejects(stopped, { message: 'stopped' });
  refuse(t, 'EPERM', 'truncate');
  await assert.rejects(write(folder, 'new', 'work'), pressFailure('local-io', /^a: operation not permitted/));
});

describe('file systems that rename nothing over a file', () => {
  /** Until the test ends, a rename over a file fails. */
  function keepFiles(t: TestContext, code: string): void {
    const { rename, lstat } = fs;
    setBuiltin(t, fs, 'rename', async (from, to) => {
      const isThere = await lstat(to).then(
        () => true,
        () => false,
      );
      if (isThere) throw failure(code);
      await rename(from, to);
    });
  }

  for (const code of ['EEXIST', 'EPERM']) {
    it(`${code}: the old file makes room`, async (t) => {
      const folder = usedFolder(t);
      keepFiles(t, code);
      assert.deepEqual(await write(folder, 'new'), []);
      assert.deepEqual(contentOf(folder), ['new\0', '{}']);
      await replaceFile(path.join(folder, 'a'), Buffer.from('newer'));
      assert.deepEqual(contentOf(folder), ['newer', '{}']);
    });
  }

  it('the old file comes back where the new one cannot have its name', async (t) => {
    const folder = usedFolder(t);
    const { rename } = fs;
    let failed = false;
    setBuiltin(t, fs, 'rename', async (from, to) => {
      const isNew = path.basename(`${to}`) === 'a' && readFileSync(from, 'utf8') !== 'old';
      failed ||= isNew;
      if (isNew) throw failure('EPERM');
      await rename(from, to);
    });
    await assert.rejects(write(folder, 'new'), pressFailure('local-io', /^a: operation not permitted/));
    assert.ok(failed);
    assert.deepEqual(contentOf(folder), ['old', 'old']);
  });
});

describe('file systems that do not tell their free space', () => {
  const cases: readonly [name: string, answer: object | string][] = [
    ['0', { bavail: 0, bsize: 4096, blocks: 100 }],
    ['0 of nothing', { bavail: 0, bsize: 0, blocks: 0 }],
    ['less than 0', { bavail: -5, bsize: 4096, blocks: 100 }],
    ['no number', { bavail: Number.NaN, bsize: 4096, blocks: 100 }],
    ...REFUSALS.map((code): [string, string] => [code, code]),
  ];
  for (const [name, answer] of cases) {
    it(name, async (t) => {
      setBuiltin(t, fs, 'statfs', (async () => {
        if (typeof answer === 'string') throw failure(answer);
        return answer;
      }) as unknown as typeof fs.statfs);
      assert.equal(await freeBytes('.'), undefined);
      await assertFreeSpace('.', 2 ** 50);
    });
  }
});

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test, { describe, it, type TestContext } from 'node:test';
import { LEASE } from '../../src/io/locks/lease.ts';
import { LOCK_NAME, TURN_NAME } from '../../src/io/locks/locked-folder.ts';
import type { ReplaceOptions } from '../../src/io/staging/replaceable.ts';
import { type RecordFile, type StagedOutput, withStagedOutput } from '../../src/io/staging/staged-output.ts';
import { findStaging, STAGING_NAME, StagingFolder } from '../../src/io/staging/staging-folder.ts';
import { temporaryPath } from '../../src/io/staging/temporary-file.ts';
import { deadPid } from '../support/dead-pid.ts';
import { pressFailure } from '../support/press-failure.ts';
import { asUnprivileged, NO_PERMISSIONS } from '../support/privileges.ts';
import { assertRejects } from '../support/rejects.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const RECORD: RecordFile = { name: 'record.json', content: Buffer.from('{}\n'), meanwhile: 'as it is' };
const FRESH: ReplaceOptions = { force: false, inputs: [] };

const NO_OTHER_USER = NO_PERMISSIONS || (process.geteuid!() !== 0 && 'needs root, to own a file');

/** Writes `content` as the file `name`. */
async function writeOne(output: StagedOutput, name: string, content: string, options = FRESH): Promise<void> {
  await output.stage([{ name, bytes: content.length }], options);
  await output.write(name, Buffer.from(content), 0);
  await output.seal();
  await output.publish(RECORD);
}

/** An output folder with a finished file in it. */
function usedFolder(t: TestContext): string {
  const folder = path.join(temporaryFolder(t), 'out');
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'a'), 'old');
  return folder;
}

test('files appear whole, with their planned size, and hidden until then', async (t) => {
  const folder = path.join(temporaryFolder(t), 'new', 'out');
  await withStagedOutput(folder, async (output) => {
    await output.stage(
      [
        { name: 'a', bytes: 10 },
        { name: 'sub/b', bytes: 3 },
      ],
      FRESH,
    );
    await output.write('a', Buffer.from('xyz'), 4);
    await output.write('a', Buffer.from('ab'), 0);
    await output.write('sub/b', Buffer.from('123'), 0);
    assert.deepEqual(
      visible(folder),
      [],
      'and all in one folder, where the next run finds what a killed one has left',
    );
    const content = 'ab\0\0xyz\0\0\0';
    const pieces: number[] = [];
    const digests = await output.seal({ onRead: (bytes) => pieces.push(bytes) });
    assert.deepEqual(pieces, [10, 3]);
    assert.deepEqual(digests[0], {
      name: 'a',
      bytes: 10,
      sha256: createHash('sha256').update(content).digest('hex'),
    });
    await output.publish(RECORD);
    assert.equal(readFileSync(path.join(folder, 'a'), 'utf8'), content);
  });
  assert.deepEqual(readdirSync(folder).sort(), ['a', 'record.json', 'sub']);
  assert.deepEqual(readdirSync(path.join(folder, 'sub')), ['b']);
});

test('temporary files are private, finished ones follow the umask', async (t) => {
  const folder = usedFolder(t);
  const before = process.umask(0o027);
  t.after(() => process.umask(before));
  await withStagedOutput(folder, async (output) => {
    await output.stage([{ name: 'b', bytes: 1 }], FRESH);
    const temporary = readdirSync(folder).find((name) => name.startsWith('.b.tmp-'))!;
    assert.equal(statSync(path.join(folder, temporary)).mode & 0o777, 0o600);
    await output.seal();
    await output.publish(RECORD);
  });
  assert.equal(statSync(path.join(folder, 'b')).mode & 0o777, 0o640);
});

test('with force, a file is replaced by a new one and the old one keeps its bytes', async (t) => {
  const folder = usedFolder(t);
  linkSync(path.join(folder, 'a'), path.join(folder, '..', 'other name of a'));
  await withStagedOutput(folder, (output) => writeOne(output, 'a', 'new', { force: true, inputs: [] }));
  assert.equal(readFileSync(path.join(folder, 'a'), 'utf8'), 'new');
  assert.equal(readFileSync(path.join(folder, '..', 'other name of a'), 'utf8'), 'old');
});

test('a file may be named by its content, and be told of by another that comes last', async (t) => {
  const folder = usedFolder(t);
  await withStagedOutput(folder, async (output) => {
    const nameOf = (sha256: string) => `sub/${sha256.slice(0, 4)}`;
    const files = [
      { name: 'sub/list', bytes: 4, isRecord: true },
      { name: 'sub/0', bytes: 3, nameOf },
    ];
    await output.stage(files, FRESH);
    await output.write('sub/0', Buffer.from('abc'), 0);
    const [digest] = await output.seal({ names: ['sub/0'] });
    assert.equal(digest!.name, 'sub/ba78');
    const sealed = await output.open('sub/0');
    const content = new Uint8Array(3);
    await sealed.readInto(content, 0);
    await sealed.close();
    assert.equal(Buffer.from(content).toString(), 'abc');
    await output.write('sub/list', Buffer.from('ba78'), 0);
    await output.seal({ names: ['sub/list'] });
    await output.publish(RECORD);
  });
  assert.deepEqual(readdirSync(path.join(folder, 'sub')).sort(), ['ba78', 'list']);
});

test('a name that content has given is not taken from another file without force', async (t) => {
  const folder = usedFolder(t);
  await assert.rejects(
    withStagedOutput(folder, async (output) => {
      await output.stage([{ name: '0', bytes: 1, nameOf: () => 'a' }], FRESH);
      await output.seal();
      await output.publish(RECORD);
    }),
    /^PressError: a: exists already in \S+; --force replaces it$/,
  );
  assert.deepEqual(readdirSync(folder), ['a']);
  assert.equal(readFileSync(path.join(folder, 'a'), 'utf8'), 'old');
});

test('a record that would describe replaced files goes before they do', async (t) => {
  const folder = usedFolder(t);
  writeFileSync(path.join(folder, RECORD.name), 'about the old a');
  await assert.rejects(
    withStagedOutput(folder, async (output) => {
      await output.stage(
        [
          { name: 'a', bytes: 1 },
          { name: 'b', bytes: 1 },
        ],
        { force: true, inputs: [] },
      );
      await output.seal();
      // Fails the rename of b, between that of a and that of the record.
      for (const name of readdirSync(folder).filter((entry) => entry.startsWith('.b.'))) {
        spawnSync('rm', [path.join(folder, name)]);
      }
      await output.publish({ ...RECORD, meanwhile: 'nothing' });
    }),
    { failure: 'local-io' },
  );
  assert.deepEqual(readdirSync(folder), ['a'], 'neither record is there');
});

describe('names that are refused before anything is written', () => {
  const cases: readonly [name: string, make: (file: string) => void, message: RegExp, force?: boolean][] = [
    [
      'a file, without force',
      (file) => writeFileSync(file, 'old'),
      /^a: exists already in \S+; --force replaces it$/,
    ],
    ['a link', (file) => symlinkSync('elsewhere', file), /^a: is a symbolic link/, true],
    ['a folder', (file) => mkdirSync(file), /^a: exists in \S+ and is not a regular file$/, true],
    [
      'a named pipe',
      (file) => assert.equal(spawnSync('mkfifo', [file]).status, 0),
      /^a: exists in \S+ and is not a regular file$/,
      true,
    ],
  ];
  for (const [name, make, message, force = false] of cases) {
    it(name, async (t) => {
      const folder = temporaryFolder(t);
      make(path.join(folder, 'a'));
      const run = () =>
        withStagedOutput(folder, (output) => writeOne(output, 'a', 'new', { force, inputs: [] }));
      await assertRejects(folder, run, { failure: 'local-io', message });
    });
  }

  it('an input of the run, by whatever name', async (t) => {
    const folder = usedFolder(t);
    const source = path.join(path.dirname(folder), 'source');
    linkSync(path.join(folder, 'a'), source);
    const run = () =>
      withStagedOutput(folder, (output) => writeOne(output, 'a', 'new', { force: true, inputs: [source] }));
    await assertRejects(folder, run, { failure: 'local-io', message: /^a: is an input of this run/ });
  });

  it('a file in a subfolder that is none', async (t) => {
    const folder = usedFolder(t);
    const run = () => withStagedOutput(folder, (output) => output.stage([{ name: 'a/b', bytes: 1 }], FRESH));
    await assertRejects(folder, run, { failure: 'local-io', message: /^a: is not a folder$/ });
  });

  it('a file in a subfolder that cannot be written into', { skip: NO_PERMISSIONS }, async (t) => {
    const folder = usedFolder(t);
    mkdirSync(path.join(folder, 'sub'));
    chmodSync(path.dirname(folder), 0o755);
    chmodSync(folder, 0o777);
    chmodSync(path.join(folder, 'sub'), 0o555);
    const stage = () =>
      withStagedOutput(folder, (output) => output.stage([{ name: 'sub/b', bytes: 1 }], FRESH));
    const message = /^sub: permission denied \(EACCES\)$/;
    await assertRejects(folder, () => asUnprivileged(stage), { failure: 'local-io', message });
  });

  it('a file in a subfolder that is a link', async (t) => {
    const folder = usedFolder(t);
    const elsewhere = path.join(path.dirname(folder), 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, path.join(folder, 'sub'));
    const run = () => withStagedOutput(folder, (output) => writeOne(output, 'sub/b', 'new'));
    await assertRejects(folder, run, { failure: 'local-io', message: /^sub: is a symbolic link$/ });
    assert.deepEqual(readdirSync(elsewhere), []);
  });

  it('a file that another program has made in the meantime', async (t) => {
    const folder = usedFolder(t);
    const run = withStagedOutput(folder, async (output) => {
      await output.stage([{ name: 'b', bytes: 1 }], FRESH);
      await output.seal();
      writeFileSync(path.join(folder, 'b'), 'of another program');
      await output.publish(RECORD);
    });
    await assert.rejects(run, { failure: 'local-io', message: /^b: exists already/ });
    assert.equal(readFileSync(path.join(folder, 'b'), 'utf8'), 'of another program');
    assert.deepEqual(readdirSync(folder).sort(), ['a', 'b']);
  });
});

describe('records and files that cannot be moved', () => {
  it('a record of another user, in a folder for all', { skip: NO_OTHER_USER }, async (t) => {
    const folder = usedFolder(t);
    const record = path.join(folder, RECORD.name);
    writeFileSync(record, 'of root');
    chmodSync(path.dirname(folder), 0o755);
    chmodSync(folder, 0o1777);
    const run = () =>
      asUnprivileged(() =>
        withStagedOutput(folder, async (output) => {
          await output.stage([{ name: 'b', bytes: 1 }], FRESH);
          await output.seal();
          await output.publish({ ...RECORD, meanwhile: Buffer.from('meanwhile') });
        }),
      );
    await assert.rejects(run, pressFailure('local-io', /^record\.json: operation not permitted \(EPERM\)$/));
    assert.deepEqual(readdirSync(folder).sort(), ['a', RECORD.name]);
    assert.equal(readFileSync(record, 'utf8'), 'of root');
  });

  it('a file that an interrupted run had finished, where its staging folder goes', async (t) => {
    const folder = usedFolder(t);
    const at = (...names: string[]) => path.join(folder, ...names);
    const start = (work: (output: StagedOutput) => Promise<void>) =>
      withStagedOutput(folder, work, { resume: 'work' });
    const stopped = start(async (output) => {
      await output.journal!.append('x');
      await output.stage([{ name: 'b', bytes: 1 }], FRESH);
      await output.seal();
      writeFileSync(at('b'), 'of another program');
      await output.publish(RECORD);
    });
    await assert.rejects(stopped, pressFailure('local-io', /^b: exists already/));
    // As if it had been killed after the rename.
    renameSync(at(STAGING_NAME, '0'), at('b'));
    writeFileSync(at(STAGING_NAME, 'record'), '');
    const again = start((output) => {
      rmSync(at(STAGING_NAME), { recursive: true });
      return output.stage([{ name: 'b', bytes: 1 }], FRESH);
    });
    await assert.rejects(again, pressFailure('local-io', /^b: no such file or folder \(ENOENT\)$/));
    assert.deepEqual(visible(folder), ['a', 'b']);
  });
});

describe('output folders that cannot be used', () => {
  it('a file', async (t) => {
    const folder = temporaryFolder(t);
    const file = path.join(folder, 'out');
    writeFileSync(file, '');
    const run = () => withStagedOutput(file, async () => {});
    await assertRejects(folder, run, { failure: 'local-io', message: /out: is not a folder$/ });
  });

  it('a folder below a file', async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(path.join(folder, 'file'), '');
    const run = () => withStagedOutput(path.join(folder, 'file', 'out'), async () => {});
    await assertRejects(folder, run, { failure: 'local-io', message: /is not a folder/ });
  });

  it('a folder without write permission', { skip: NO_PERMISSIONS }, async (t) => {
    const folder = path.join(temporaryFolder(t), 'out');
    mkdirSync(folder);
    chmodSync(path.dirname(folder), 0o755);
    chmodSync(folder, 0o555);
    const run = () => asUnprivileged(() => withStagedOutput(folder, async () => {}));
    await assertRejects(folder, run, { failure: 'local-io', message: /permission denied \(EACCES\)$/ });
  });

  it('a disk with less space than the files take', async (t) => {
    const folder = usedFolder(t);
    const run = () =>
      withStagedOutput(folder, (output) => output.stage([{ name: 'b', bytes: 2 ** 52 }], FRESH));
    const message = /no space left: needs 4503599627\.4 MB, has [0-9.]+ MB$/;
    await assertRejects(folder, run, { failure: 'local-io', message });
  });

  it('a name longer than the file system takes', async (t) => {
    const folder = usedFolder(t);
    const run = () => withStagedOutput(folder, (output) => writeOne(output, 'b'.repeat(300), 'new'));
    await assertRejects(folder, run, { failure: 'local-io', message: /name too long \(ENAMETOOLONG\)$/ });
  });

  it('a name that is too long only while it is hidden', async (t) => {
    const folder = usedFolder(t);
    const run = () => withStagedOutput(folder, (output) => writeOne(output, 'b'.repeat(250), 'new'));
    await assertRejects(folder, run, { failure: 'local-io', message: /^…?b+: name too long/ });
  });

  it('one that goes while the run is at work', async (t) => {
    const folder = usedFolder(t);
    const run = () =>
      withStagedOutput(folder, (output) => {
        rmSync(folder, { recursive: true });
        return output.stage([{ name: 'b', bytes: 1 }], FRESH);
      });
    const message = /out: no such file or folder \(ENOENT\)$/;
    await assert.rejects(run, pressFailure('local-io', message));
  });

  for (const name of ['journal', 'seals', '0']) {
    it(`one where a folder is in the place of ${name} of an interrupted run`, async (t) => {
      const folder = usedFolder(t);
      mkdirSync(path.join(folder, STAGING_NAME, name), { recursive: true });
      const run = withStagedOutput(
        folder,
        async (output) => {
          await output.journal!.append('x');
          await output.stage([{ name: 'b', bytes: 1 }], FRESH);
        },
        { resume: 'work' },
      );
      await assert.rejects(run, pressFailure('local-io', /(journal|seals|^b): is a folder \(EISDIR\)$/));
      assert.ok(existsSync(path.join(folder, STAGING_NAME, name)));
    });
  }
});

test('a failure removes what the run has made, folders included', async (t) => {
  const parent = temporaryFolder(t);
  const run = () =>
    withStagedOutput(path.join(parent, 'new', 'out'), async (output) => {
      await output.stage([{ name: 'sub/a', bytes: 5 }], FRESH);
      await output.write('sub/a', Buffer.from('12345'), 0);
      throw new Error('stopped');
    });
  await assert.rejects(run, { message: 'stopped' });
  assert.deepEqual(readdirSync(parent), []);
});

test('a folder that was there stays, and so does what others put into a new one', async (t) => {
  const folder = usedFolder(t);
  const fail = async () => {
    throw new Error('stopped');
  };
  await assert.rejects(withStagedOutput(folder, fail), { message: 'stopped' });
  assert.deepEqual(readdirSync(folder), ['a']);
  const made = path.join(folder, 'made');
  const run = withStagedOutput(made, async () => {
    writeFileSync(path.join(made, 'note'), '');
    await fail();
  });
  await assert.rejects(run, { message: 'stopped' });
  assert.deepEqual(readdirSync(made), ['note']);
});

test('temporary files and folders of killed runs are removed, all others stay', async (t) => {
  const folder = usedFolder(t);
  const dead = deadPid();
  const key = '0123456789abcdef';
  const elsewhere = `.x.gguf.tmp-${dead}-${key}`;
  const own = temporaryOf(process.pid);
  const stay = [
    ...[own, elsewhere],
    ...[`.x.tmp-${dead}-short`, temporaryOf(dead).slice(1), temporaryOf(0), '.hidden'],
  ];
  const silent = `.x.gguf.tmp-${process.pid}-${key}`;
  for (const name of [...stay, temporaryOf(dead), silent]) writeFileSync(path.join(folder, name), '');
  const inside = temporaryOf(dead);
  mkdirSync(path.join(folder, inside));
  writeFileSync(path.join(folder, inside, 'x'), '');
  writeFileSync(path.join(folder, TURN_NAME), JSON.stringify({ pid: dead, started: '1', key: 'x' }));
  const then = new Date(Date.now() - LEASE - 1000);
  for (const name of [silent, own]) utimesSync(path.join(folder, name), then, then);
  await withStagedOutput(folder, async () => {});
  assert.deepEqual(readdirSync(folder).sort(), [...stay, 'a'].sort());
});

test('what a run with --resume has left goes where nobody can go on with it', async (t) => {
  const folder = usedFolder(t);
  // Nothing finished, something finished, all with its name, all but the record.
  const states: [lines: string[], isSealed: boolean, isRecordThere: boolean, stays: boolean][] = [
    [[], false, false, false],
    [['x'], false, false, true],
    [['x'], true, false, false],
    [['x'], true, true, true],
  ];
  for (const [lines, isSealed, isRecordThere, stays] of states) {
    rmSync(path.join(folder, STAGING_NAME), { recursive: true, force: true });
    const staging = await StagingFolder.open(folder, 'work', STAGING_NAME);
    for (const line of lines) await staging.journal.append(line);
    if (isSealed) await staging.seal(['0'.repeat(64)], '1'.repeat(64));
    await staging.close();
    if (isRecordThere) writeFileSync(staging.pathOf('record'), '');
    assert.equal(await findStaging(folder, 'work'), stays ? 'same' : 'nothing');
    await withStagedOutput(folder, async () => {});
    assert.deepEqual(readdirSync(folder).sort(), [...(stays ? [STAGING_NAME] : []), 'a']);
  }
});

for (const resume of [undefined, 'work']) {
  test(`a run that has lost its lock leaves what another may be at work with${resume ? ', resumed' : ''}`, async (t) => {
    const folder = path.join(temporaryFolder(t), 'out');
    const staged = path.join(folder, STAGING_NAME, '0');
    const run = withStagedOutput(
      folder,
      async (output) => {
        await output.stage([{ name: 'b', bytes: 3 }], FRESH);
        await output.seal();
        // Another run judges this one to have ended, and begins.
        rmSync(path.join(folder, LOCK_NAME));
        writeFileSync(path.join(folder, LOCK_NAME), 'of another run');
        if (resume !== undefined) writeFileSync(staged, 'new');
        await output.publish(RECORD);
      },
      { ...(resume !== undefined && { resume }) },
    );
    await assert.rejects(run, pressFailure('locked', /taken over by another run$/));
    assert.deepEqual(
      readdirSync(folder).sort(),
      resume === undefined ? [LOCK_NAME] : [STAGING_NAME, LOCK_NAME],
    );
    if (resume !== undefined) assert.equal(readFileSync(staged, 'utf8'), 'new');
  });
}

test('a file that another program shortens while it is sealed is no fault of the input', async (t) => {
  const folder = usedFolder(t);
  const run = withStagedOutput(folder, async (output) => {
    await output.stage([{ name: 'b', bytes: 5_000_000 }], FRESH);
    const temporary = readdirSync(folder).find((name) => name.startsWith('.b.tmp-'))!;
    await output.seal({ onRead: () => truncateSync(path.join(folder, temporary), 10) });
  });
  await assert.rejects(run, pressFailure('local-io', /^b: changed while it was written$/));
  assert.deepEqual(readdirSync(folder), ['a']);
});

test('nothing is written past the planned size', async (t) => {
  const folder = usedFolder(t);
  const run = withStagedOutput(folder, async (output) => {
    await output.stage([{ name: 'b', bytes: 3 }], FRESH);
    await output.write('b', Buffer.from('1234'), 0);
  });
  await assert.rejects(run, { message: 'b: write to 4 of 3 planned bytes' });
});

test('an abort during read-back ends it', async (t) => {
  const folder = path.join(temporaryFolder(t), 'out');
  const controller = new AbortController();
  const run = withStagedOutput(folder, async (output) => {
    await output.stage([{ name: 'a', bytes: 5_000_000 }], FRESH);
    const onRead = () => controller.abort(new Error('interrupted'));
    await output.seal({ onRead, signal: controller.signal });
  });
  await assert.rejects(run, { message: 'interrupted' });
  assert.equal(existsSync(folder), false);
});

/** Name of a temporary file of a process of this place. */
function temporaryOf(pid: number): string {
  return path.basename(temporaryPath('x.gguf')).replace(`-${process.pid}-`, `-${pid}-`);
}

function visible(folder: string): string[] {
  return readdirSync(folder).filter((name) => !name.startsWith('.'));
}

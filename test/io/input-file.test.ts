import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { InputFile } from '../../src/io/input-file.ts';
import { SourceFolder } from '../../src/io/source-folder.ts';
import { readTextFile } from '../../src/io/text-file.ts';
import { uniform } from '../support/builders/samples.ts';
import { asUnprivileged, NO_PERMISSIONS } from '../support/privileges.ts';
import { assertRejects, type Rejection } from '../support/rejects.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const digestOf = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

/** Three and a half hashing chunks, so that every loop turns. */
const CONTENT = (() => {
  const next = uniform(1);
  return Uint8Array.from({ length: 3_600_001 }, () => Math.floor(next() * 256));
})();

async function openContent(t: TestContext): Promise<{ file: InputFile; filePath: string }> {
  const filePath = path.join(temporaryFolder(t), 'weights');
  writeFileSync(filePath, CONTENT);
  const file = await InputFile.open(filePath, 'weights');
  t.after(() => file.close());
  return { file, filePath };
}

test('the digest of what nobody has read ends by a signal', async (t) => {
  const { file } = await openContent(t);
  const controller = new AbortController();
  const digest = file.sha256(controller.signal);
  controller.abort();
  await assert.rejects(digest, { name: 'AbortError' });
  assert.equal(await file.sha256(), digestOf(CONTENT));
});

test('the digest is right whatever has been read before', async (t) => {
  const size = CONTENT.length;
  // biome-ignore format: rows of a table
  const reads: Readonly<Record<string, readonly (readonly [offset: number, length: number])[]>> = {
    nothing: [],
    'all at once': [[0, size]],
    'front to back': [[0, 1000], [1000, 2_000_000], [2_001_000, size - 2_001_000]],
    'overlapping, as a header that is read twice': [[0, 64], [8, 1000], [1008, size - 1008]],
    'back to front': [[2_000_000, size - 2_000_000], [0, 2_000_000]],
    'with a gap': [[0, 100], [200, 300], [50, 20]],
    'with a gap too large to read': [[0, 100], [5000, 300], [100, 4900]],
    'the same bytes again': [[0, 100], [0, 100], [0, 100]],
    'nothing at the end': [[size, 0]],
  };
  for (const [name, ranges] of Object.entries(reads)) {
    await t.test(name, async (t) => {
      const { file } = await openContent(t);
      for (const [offset, length] of ranges) {
        const into = new Uint8Array(length);
        await file.readInto(into, offset);
        assert.deepEqual(into, CONTENT.slice(offset, offset + length));
      }
      assert.equal(await file.sha256(), digestOf(CONTENT));
      assert.equal(await file.sha256(), digestOf(CONTENT), 'and again');
    });
  }
});

test('reads into shared memory and into parts of a buffer', async (t) => {
  const { file } = await openContent(t);
  const shared = new Uint8Array(new SharedArrayBuffer(CONTENT.length + 20), 10, CONTENT.length);
  await file.readInto(shared, 0);
  assert.deepEqual(Uint8Array.from(shared), CONTENT);
  assert.equal(await file.sha256(), digestOf(CONTENT));
});

const COUNTERS = '/proc/self/io';

test('a file read front to back is not read again for its digest', {
  skip: !existsSync(COUNTERS) && 'the system does not count the bytes that a process reads',
}, async (t) => {
  const bytesRead = () => Number(/rchar: (\d+)/.exec(readFileSync(COUNTERS, 'utf8'))![1]);
  // The entries of an archive have headers between them, which nobody reads in this order.
  for (const hole of [0, 200]) {
    const { file } = await openContent(t);
    const half = Math.floor(CONTENT.length / 2);
    await file.readInto(new Uint8Array(half - hole), hole);
    await file.readInto(new Uint8Array(half - hole), half + hole);
    const before = bytesRead();
    assert.equal(await file.sha256(), digestOf(CONTENT));
    assert.ok(bytesRead() - before < CONTENT.length / 2);
  }
});

test('an empty file', async (t) => {
  const filePath = path.join(temporaryFolder(t), 'empty');
  writeFileSync(filePath, '');
  const file = await InputFile.open(filePath, 'empty');
  t.after(() => file.close());
  await file.readInto(new Uint8Array(0), 0);
  assert.equal(await file.sha256(), digestOf(new Uint8Array(0)));
});

const CHANGES: Readonly<Record<string, (filePath: string) => void>> = {
  shrinks: (filePath) => truncateSync(filePath, 10),
  'becomes empty': (filePath) => truncateSync(filePath, 0),
  grows: (filePath) => appendFileSync(filePath, 'x'),
  'is written again': (filePath) => utimesSync(filePath, 1, 1),
  'is replaced by an equal file': (filePath) => {
    writeFileSync(`${filePath}.new`, CONTENT);
    renameSync(`${filePath}.new`, filePath);
  },
  'is deleted': (filePath) => rmSync(filePath),
};

test('a file that changes while it is read', async (t) => {
  for (const [name, change] of Object.entries(CHANGES)) {
    await t.test(name, async (t) => {
      const { file, filePath } = await openContent(t);
      await file.sha256();
      await file.readInto(new Uint8Array(100), 0);
      change(filePath);
      const expected: Rejection = { message: /^weights: changed while reading$/ };
      await assertRejects(path.dirname(filePath), () => file.sha256(), expected);
    });
  }
  await t.test('is replaced by an equal file of the same age', async (t) => {
    const filePath = path.join(temporaryFolder(t), 'weights');
    for (const name of [filePath, `${filePath}.new`]) {
      writeFileSync(name, CONTENT);
      utimesSync(name, 1, 1);
    }
    const file = await InputFile.open(filePath, 'weights');
    t.after(() => file.close());
    renameSync(`${filePath}.new`, filePath);
    const expected: Rejection = { message: /^weights: changed while reading$/ };
    await assertRejects(path.dirname(filePath), () => file.sha256(), expected);
  });
  await t.test('a short read is never taken for a full one', async (t) => {
    const { file, filePath } = await openContent(t);
    truncateSync(filePath, 1000);
    const read = () => file.readInto(new Uint8Array(1001), 0);
    await assertRejects(path.dirname(filePath), read, { message: /^weights: changed while reading$/ });
  });
  await t.test('a read that the system refuses is no fault of the file', async (t) => {
    const { file, filePath } = await openContent(t);
    await file.close();
    const read = () => file.readInto(new Uint8Array(1), 0);
    const expected: Rejection = { failure: 'local-io', message: /^weights: file closed \(EBADF\)$/ };
    await assertRejects(path.dirname(filePath), read, expected);
  });
  await t.test('a read past the end is refused before it starts', async (t) => {
    const { file, filePath } = await openContent(t);
    const read = () => file.readInto(new Uint8Array(2), CONTENT.length - 1);
    await assertRejects(path.dirname(filePath), read, { message: /^weights: ends too early, got 3600001/ });
  });
});

test('only regular files that may be read', async (t) => {
  const folder = temporaryFolder(t);
  const at = (name: string) => path.join(folder, name);
  mkdirSync(at('folder'));
  symlinkSync('loop', at('loop'));
  symlinkSync('nowhere', at('dangling'));
  writeFileSync(at('plain'), 'x');
  const rows: readonly (readonly [name: string, Rejection])[] = [
    ['folder', { message: /^f: is a folder, not a regular file$/ }],
    ['absent', { message: /^f: missing \(ENOENT\)$/ }],
    ['dangling', { message: /^f: missing \(ENOENT\)$/ }],
    ['loop', { message: /^f: missing \(ELOOP\)$/ }],
    ['plain/inside', { message: /^f: missing \(ENOTDIR\)$/ }],
    ['/dev/null', { message: /^f: is a device, not a regular file$/ }],
  ];
  for (const [name, expected] of rows) {
    await t.test(name, () =>
      assertRejects(folder, () => InputFile.open(path.resolve(folder, name), 'f'), expected),
    );
  }
  const made = spawnSync('mkfifo', [at('fifo')]);
  await t.test('FIFO that nobody writes to', { skip: made.status !== 0 && 'mkfifo is not there' }, () =>
    assertRejects(folder, () => InputFile.open(at('fifo'), 'f'), {
      message: /^f: is a named pipe, not a regular file$/,
    }),
  );
  await t.test('file without permission', { skip: NO_PERMISSIONS }, async () => {
    chmodSync(at('plain'), 0);
    chmodSync(folder, 0o755);
    const open = () => InputFile.open(at('plain'), 'f');
    const expected: Rejection = { failure: 'local-io', message: /^f: permission denied \(EACCES\)$/ };
    await assertRejects(folder, () => asUnprivileged(open), expected);
  });
});

test('text files', async (t) => {
  const folder = temporaryFolder(t);
  const write = (content: string | Uint8Array) => writeFileSync(path.join(folder, 'x.json'), content);
  const read = () => readTextFile(path.join(folder, 'x.json'), 'x.json', 100);
  await t.test('give text, size and digest', async () => {
    write('{"é": "😀"}');
    const file = await read();
    assert.equal(file.text, '{"é": "😀"}');
    assert.equal(file.bytes, 14);
    assert.equal(await file.sha256(), digestOf(Buffer.from(file.text)));
  });
  await t.test('may be as large as the limit', async () => {
    write('x'.repeat(100));
    assert.equal((await read()).bytes, 100);
  });
  await t.test('keep a byte order mark, but for JSON', async () => {
    write('\ufeff{}');
    assert.equal((await read()).text, '{}');
    const other = path.join(folder, 'x.txt');
    writeFileSync(other, '\ufeffx');
    assert.equal((await readTextFile(other, 'x.txt', 100)).text, '\ufeffx');
  });
  const rows: readonly (readonly [name: string, content: string | Uint8Array, message: RegExp])[] = [
    ['larger than the limit', 'x'.repeat(101), /^x\.json: too large, got 101, expected at most 100 bytes$/],
    ['not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), /^x\.json: not valid UTF-8$/],
    ['overlong UTF-8', Uint8Array.of(0xc0, 0xaf), /not valid UTF-8/],
    ['surrogate in UTF-8', Uint8Array.of(0xed, 0xa0, 0x80), /not valid UTF-8/],
    ['cut character', Uint8Array.of(0xe2, 0x82), /not valid UTF-8/],
    [
      'Git LFS pointer',
      'version https://git-lfs.github.com/spec/v1\noid sha256:00',
      /LFS pointer, run git lfs pull/,
    ],
  ];
  for (const [name, content, message] of rows) {
    await t.test(name, async () => {
      write(content);
      await assertRejects(folder, read, { message });
    });
  }
});

test('links of a folder', async (t) => {
  const outer = temporaryFolder(t);
  const at = (...parts: string[]) => path.join(outer, ...parts);
  writeFileSync(at('secret'), 'secret');
  const escapes: Rejection = { message: /^f: symbolic link that leads out of the folder$/ };

  await t.test('plain folder', async (t) => {
    mkdirSync(at('model', 'sub'), { recursive: true });
    mkdirSync(at('model-2'));
    writeFileSync(at('model', 'sub', 'inner'), 'inner');
    writeFileSync(at('model-2', 'beside'), 'beside');
    const folder = async () => SourceFolder.open(at('model'));
    const link = (target: string) => {
      rmSync(at('model', 'f'), { force: true });
      symlinkSync(target, at('model', 'f'));
    };
    const allowed: Readonly<Record<string, () => void>> = {
      'link inside': () => link('sub/inner'),
      'absolute link inside': () => link(at('model', 'sub', 'inner')),
      'link that leaves and comes back': () => link('../model/sub/inner'),
      'hard link to an outside file': () => {
        rmSync(at('model', 'f'));
        linkSync(at('secret'), at('model', 'f'));
      },
    };
    for (const [name, make] of Object.entries(allowed)) {
      await t.test(name, async () => {
        make();
        const { text } = await (await folder()).readText('f', 100);
        assert.equal(text, name.startsWith('hard') ? 'secret' : 'inner');
      });
    }
    for (const target of ['../secret', at('secret'), '/etc/passwd', '../model-2/beside', '..', '.']) {
      await t.test(`link to ${path.relative(outer, path.resolve(at('model'), target))}`, async () => {
        link(target);
        await assertRejects(at('model'), async () => (await folder()).open('f'), escapes);
      });
    }
    await t.test('link to nowhere', async () => {
      link('nowhere');
      await assertRejects(at('model'), async () => (await folder()).open('f'), {
        message: /^f: missing \(ENOENT\)$/,
      });
    });
    for (const name of ['../secret', 'sub/inner', '.', '..', '', '/etc/passwd']) {
      await t.test(`name ${JSON.stringify(name)}`, async () => {
        await assertRejects(at('model'), async () => (await folder()).open(name), { message: /missing$/ });
      });
    }
  });

  await t.test('cache of the Hub', async () => {
    const root = at('hub', 'models--org--name');
    const snapshot = path.join(root, 'snapshots', 'abc');
    mkdirSync(snapshot, { recursive: true });
    mkdirSync(path.join(root, 'blobs'));
    writeFileSync(path.join(root, 'blobs', '123'), 'blob');
    mkdirSync(at('hub', 'models--org--other'));
    writeFileSync(at('hub', 'models--org--other', 'blob'), 'other');
    const link = (name: string, target: string) => symlinkSync(target, path.join(snapshot, name));
    link('blob', '../../blobs/123');
    link('f', '../../../models--org--other/blob');
    const folder = await SourceFolder.open(snapshot);
    assert.equal((await folder.readText('blob', 100)).text, 'blob');
    await assertRejects(snapshot, () => folder.open('f'), escapes);
    const sha256 = digestOf(Buffer.from('whole'));
    writeFileSync(path.join(root, 'blobs', sha256), 'other');
    link('damaged', `../../blobs/${sha256}`);
    const readDamaged = async () =>
      (await (await SourceFolder.open(snapshot)).readText('damaged', 100)).sha256();
    const damaged = /^damaged: SHA-256 of a damaged file in the cache, which `plmpress pull` replaces, got /;
    await assertRejects(snapshot, readDamaged, { failure: 'verification', message: damaged });
  });
});

test('a name in another case is taken where it is the only one', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['Config.JSON', 'README.md', 'readme.MD']) writeFileSync(path.join(folder, name), '{}');
  const opened = await SourceFolder.open(folder);
  const names = ['config.json', 'README.md', 'ReadMe.md', 'Readme.md.txt'];
  assert.deepEqual(
    names.map((name) => opened.has(name)),
    [true, true, false, false],
  );
});

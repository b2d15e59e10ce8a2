import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { setBuiltin } from '../support/fakes/set-builtin.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');
const NO_PIPES = process.platform === 'win32' && 'the system has no named pipes in folders';

/** Runs a command that has to fail with one line. */
async function assertFails(argv: readonly string[], code: number, message: RegExp): Promise<void> {
  const run = await runCli([...argv, '--quiet']);
  assert.equal(run.code, code, `${argv.join(' ')}: ${run.stderr}`);
  assert.match(run.stderr, /^plmpress: error: [^\n]+\n$/);
  assert.match(run.stderr, message);
}

/** What is no file, under the names that it gets in a folder of its own. */
async function oddities(t: TestContext) {
  const folder = temporaryFolder(t);
  const at = (name: string) => path.join(folder, name);
  assert.equal(spawnSync('mkfifo', [at('pipe')]).status, 0);
  const server = net.createServer().listen(at('socket'));
  await once(server, 'listening');
  t.after(() => server.close());
  return { at, kinds: { [at('pipe')]: 'named pipe', [at('socket')]: 'socket', '/dev/zero': 'device' } };
}

describe('inputs that are no files are told at once', { skip: NO_PIPES }, () => {
  /** By what they are given as: the rest of the command line. */
  const commands: readonly (readonly [
    name: string,
    argv: (odd: string, out: string) => readonly string[],
  ])[] = [
    ['a source', (odd) => ['inspect', odd]],
    ['a reference', (odd) => ['verify', TINY, '--against', odd]],
    ['a text', (odd) => ['verify', TINY, '--against', TINY, '--text', odd]],
    ['a text to calibrate with', (odd, out) => ['calibrate', TINY, '--text', odd, '-o', out]],
    ['--imatrix', (odd, out) => ['convert', TINY, '--to', 'gguf:q4_0', '--imatrix', odd, '-o', out]],
    ['--statistics', (odd, out) => ['convert', TINY, '--to', 'gguf:q4_0', '--statistics', odd, '-o', out]],
    ['--schemes', (odd, out) => ['convert', TINY, '--to', 'gguf:q4_0', '--schemes', odd, '-o', out]],
    ['--device-file', (odd) => ['plan', TINY, '--device-file', odd]],
  ];
  for (const [name, argv] of commands) {
    it(name, async (t) => {
      const { at, kinds } = await oddities(t);
      for (const [odd, kind] of Object.entries(kinds)) {
        await assertFails(argv(odd, at('out')), 3, new RegExp(`: is a ${kind}, not a regular file\n$`));
      }
    });
  }

  const folders: readonly (readonly [
    name: string,
    argv: (odd: string, out: string) => readonly string[],
    code: number,
  ])[] = [
    ['an adapter', (odd, out) => ['convert', TINY, '--to', 'gguf:q4_0', '--adapter', odd, '-o', out], 3],
    ['a part', (odd, out) => ['merge', odd, '--from', TINY, '-o', out], 3],
    ['a folder to serve', (odd) => ['serve', odd], 3],
    ['a folder to push', (odd) => ['push', odd, '--repo', 'a/b', '--dry-run'], 4],
    ['a record', (odd) => ['reproduce', odd], 4],
  ];
  for (const [name, argv, code] of folders) {
    it(`in place of a folder: ${name}`, async (t) => {
      const { at, kinds } = await oddities(t);
      for (const odd of Object.keys(kinds)) await assertFails(argv(odd, at('out')), code, /./);
    });
  }

  for (const name of ['config.json', 'tokenizer.json', 'model.safetensors', 'generation_config.json']) {
    it(`a named pipe in a checkpoint: ${name}`, async (t) => {
      const { at } = await oddities(t);
      cpSync(TINY, at('plm'), { recursive: true });
      rmSync(path.join(at('plm'), name));
      assert.equal(spawnSync('mkfifo', [path.join(at('plm'), name)]).status, 0);
      const message = new RegExp(`: ${name}: is a named pipe, not a regular file\n$`);
      await assertFails(['convert', at('plm'), '--to', 'gguf:q8_0', '-o', at('out')], 3, message);
    });
  }

  it('a named pipe in place of a record, of an artifact and of what an interrupted calibration has left', async (t) => {
    const { at } = await oddities(t);
    writeRandomCheckpoint(at('plm'), {
      config: { ...BLOCKS_OF_32, num_hidden_layers: 1, vocab_size: 2048 },
      seed: 2,
    });
    const artifact = path.join(at('out'), 'plm-Q8_0.gguf');
    const convert = ['convert', at('plm'), '--to', 'gguf:q8_0', '-o', at('out')];
    assert.equal((await runCli(convert)).code, 0);
    const replace = (file: string) => {
      rmSync(file, { force: true });
      assert.equal(spawnSync('mkfifo', [file]).status, 0);
    };
    replace(artifact);
    await assertFails(['push', at('out'), '--repo', 'a/b', '--dry-run'], 3, /is a named pipe/);
    await assertFails([...convert, '--force'], 4, /gguf: exists in \S+\/out and is not a regular file\n$/);
    replace(path.join(at('out'), 'plmpress.json'));
    await assertFails([...convert, '--force'], 4, /plmpress\.json: is not a regular file\n$/);
    writeFileSync(at('text'), 'Call me Ishmael. Some years ago, never mind how long precisely. '.repeat(9));
    replace(at('.plmpress-resume-stats.gguf'));
    const calibrate = ['calibrate', at('plm'), '--text', at('text'), '--resume', '-o', at('stats.gguf')];
    await assertFails(calibrate, 4, /\.plmpress-resume-stats\.gguf: is not a folder\n$/);
  });
});

describe('an output folder that cannot be', () => {
  const cases: readonly (readonly [name: string, folder: string, message: RegExp])[] = [
    ['a file', 'file', /file: is not a folder\n$/],
    ['a file, by the name of a folder', 'file/', /file\/: is not a folder\n$/],
    ['below a file', 'file/out', /out: is not a folder \(ENOTDIR\)\n$/],
    ['a link to nothing', 'dangling', /dangling: is a dangling symbolic link\n$/],
    ['below a link to nothing', 'dangling/out', /out: is a dangling symbolic link\n$/],
    ['a link to itself', 'loop', /loop: too many symbolic links \(ELOOP\)\n$/],
    ...(process.platform === 'linux'
      ? ([
          [
            'of the kernel',
            '/proc/plmpress',
            /proc\/plmpress: its file system does not allow new folders \(ENOENT\)\n$/,
          ],
          ['of a process', '/proc/self/a/b', /b: its file system does not allow new folders \(ENOENT\)\n$/],
          [
            'that takes no files',
            '/proc/self',
            /self: its file system does not allow new files \(ENOENT\)\n$/,
          ],
          ['a device', '/dev/null', /null: is not a folder\n$/],
        ] as const)
      : []),
  ];
  for (const [name, output, message] of cases) {
    it(name, async (t) => {
      const folder = temporaryFolder(t);
      writeFileSync(path.join(folder, 'file'), '');
      symlinkSync('nowhere', path.join(folder, 'dangling'));
      symlinkSync('loop', path.join(folder, 'loop'));
      const before = readdirSync(folder);
      const at = path.isAbsolute(output) ? output : `${folder}/${output}`;
      await assertFails(['convert', TINY, '--to', 'gguf:q8_0', '-o', at], 4, message);
      assert.deepEqual(readdirSync(folder), before);
    });
  }

  for (const [call, folder] of [
    ['mkdir', 'new/out'],
    ['open', '.'],
  ] as const) {
    it(`on a read-only disk: ${call} fails`, async (t) => {
      const at = path.join(temporaryFolder(t), folder);
      const real = fs[call] as (...args: unknown[]) => Promise<unknown>;
      setBuiltin(t, fs, call, (async (...args: unknown[]) => {
        if (call === 'open' && !`${args[0]}`.startsWith(at)) return real(...args);
        throw Object.assign(new Error('EROFS'), { code: 'EROFS' });
      }) as never);
      await assertFails(
        ['convert', TINY, '--to', 'gguf:q8_0', '-o', at],
        4,
        /^plmpress: error: \/\S+: read-only file system \(EROFS\)\n$/,
      );
    });
  }

  it('what was made on the way to it goes', async (t) => {
    const folder = temporaryFolder(t);
    const { mkdir } = fs;
    setBuiltin(t, fs, 'mkdir', (async (at: string) => {
      if (at.endsWith('b')) throw Object.assign(new Error('EDQUOT'), { code: 'EDQUOT' });
      await mkdir(at);
    }) as typeof fs.mkdir);
    await assertFails(['convert', TINY, '--to', 'gguf:q8_0', '-o', path.join(folder, 'a', 'b')], 4, /quota/);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('a link to a folder is one', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(path.join(folder, 'real'));
    symlinkSync('real', path.join(folder, 'link'));
    const { code } = await runCli(['convert', TINY, '--to', 'gguf:q8_0', '-o', `${folder}/link/`]);
    assert.equal(code, 0);
    assert.deepEqual(readdirSync(path.join(folder, 'real')).sort(), ['plm-tiny-Q8_0.gguf', 'plmpress.json']);
    assert.ok(lstatSync(path.join(folder, 'link')).isSymbolicLink());
  });
});

describe('a current folder that has been removed', () => {
  const failing = (t: TestContext) =>
    t.mock.method(process, 'cwd', () => {
      throw Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), { code: 'ENOENT' });
    });

  for (const argv of [['--help'], ['--version'], ['convert', '--help'], ['schemes'], []]) {
    it(`is no matter to "${argv.join(' ')}"`, async (t) => {
      failing(t);
      const { code, stdout } = await runCli(argv);
      assert.equal(code, 0);
      assert.notEqual(stdout, '');
    });
  }

  for (const argv of [
    ['inspect', '.'],
    ['convert', TINY, '--to', 'gguf:q8_0', '-o', 'out'],
    ['serve', TINY],
    ['pull', 'a/b'],
  ]) {
    it(`is told by ${argv[0]}`, async (t) => {
      failing(t);
      await assertFails(argv, 4, /: the current folder has been removed: change to a folder that exists\n$/);
    });
  }
});

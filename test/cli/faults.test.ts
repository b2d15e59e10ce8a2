import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { REPOSITORY } from '../support/builders/hub-checkpoint.ts';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { BINARY, runCli } from '../support/drivers/run-cli.ts';
import {
  type Fault,
  type FaultyRun,
  failEveryCall,
  NO_FAULTS,
  runWithFault,
} from '../support/fakes/faults.ts';
import { HubServer } from '../support/fakes/hub-server.ts';
import { setEnvironment } from '../support/fakes/set-environment.ts';
import { treeDigests } from '../support/oracles/digests.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** All that commands write but conversions and bundles, which have tests of their own beside this one. */
const ONE_LAYER = { ...BLOCKS_OF_32, num_hidden_layers: 1, vocab_size: 2048 };

const FAULTS: readonly Fault[] = [
  { call: 'sync', action: 'error=EIO' },
  { call: 'rename', action: 'error=EACCES' },
  { call: 'rename', action: 'signal=KILL' },
];

function model(t: TestContext) {
  const folder = temporaryFolder(t);
  const at = (...names: string[]) => path.join(folder, ...names);
  writeRandomCheckpoint(at('plm'), { config: ONE_LAYER, seed: 2 });
  writeFileSync(at('text'), 'Call me Ishmael. Some years ago, never mind how long precisely. '.repeat(8));
  return at;
}

/** One line and exit code 4, unless the fault came when all was there. */
function assertTold({ status, stderr }: FaultyRun): void {
  if (status === 0) return;
  assert.equal(status, 4, `exit code ${status}: ${stderr}`);
  assert.match(
    stderr,
    /^plmpress: error: [^\n]*(input\/output error|permission denied|no space left)[^\n]*\n$/,
  );
}

function assertNothingHidden(folder: string): void {
  const hidden = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('.')) : [];
  assert.deepEqual(hidden, []);
}

describe('parts and their merging, at every call', { skip: NO_FAULTS }, () => {
  const part = (at: (...names: string[]) => string, number: number) => [
    ...['convert', at('plm'), '--to', 'gguf:q8_0', '--part', `${number}/2`],
    ...['--threads', '1', '--quiet', '--force', '-o'],
  ];
  const commands: Readonly<Record<string, (at: (...names: string[]) => string) => readonly string[]>> = {
    'convert --part': (at) => part(at, 1),
    merge: (at) => [
      'merge',
      at('1'),
      at('2'),
      '--from',
      at('plm'),
      '--threads',
      '1',
      '--quiet',
      '--force',
      '-o',
    ],
  };
  for (const [name, command] of Object.entries(commands)) {
    it(name, async (t) => {
      const at = model(t);
      for (const number of [1, 2]) await runCli([...part(at, number), at(`${number}`)]);
      await runCli([...command(at), at('clean')]);
      const clean = treeDigests(at('clean'));
      // Killed parts have a test of their own.
      for (const fault of FAULTS.slice(0, 2)) {
        const calls = await failEveryCall([BINARY, ...command(at), at('out')], fault, {
          before: () => rmSync(at('out'), { recursive: true, force: true }),
          after: async (run) => {
            if (run.status !== null) {
              assertTold(run);
              assertNothingHidden(at('out'));
            }
            for (const [file, digest] of existsSync(at('out')) ? treeDigests(at('out')) : []) {
              if (!file.startsWith('.')) assert.equal(digest, clean.get(file), file);
            }
            const again = await runCli([...command(at), at('out')]);
            assert.equal(again.code, 0, again.stderr);
            assert.deepEqual(treeDigests(at('out')), clean);
          },
        });
        assert.ok(calls >= 2, `only ${calls} calls`);
      }
    });
  }
});

describe('a file that takes long to make', { skip: NO_FAULTS }, () => {
  const commands: Readonly<
    Record<string, { readonly file: string; readonly argv: (at: (...names: string[]) => string) => string[] }>
  > = {
    calibrate: {
      file: 'stats.gguf',
      argv: (at) => ['calibrate', at('plm'), '--text', at('text'), '-o', at('out', 'stats.gguf')],
    },
    'verify --report': {
      file: 'report.html',
      argv: (at) => [
        ...['verify', at('art'), '--against', at('plm'), '--text', at('text')],
        ...['--report', at('out', 'report.html')],
      ],
    },
    'convert --save-schemes': {
      file: 'plan.json',
      argv: (at) => [
        ...['convert', at('plm'), '--to', 'gguf:q4_0', '--target-size', '300KB', '--text', at('text')],
        ...['--save-schemes', at('out', 'plan.json'), '-o', at('out')],
      ],
    },
    'sweep -o': {
      file: 'sweep.json',
      argv: (at) => [
        ...[
          'sweep',
          at('plm'),
          '--to',
          'gguf:q4_0',
          '--sizes',
          '300KB',
          '--text',
          at('text'),
          '--quality',
          'fast',
        ],
        ...['-o', at('out', 'sweep.json')],
      ],
    },
  };
  for (const [name, { file, argv }] of Object.entries(commands)) {
    it(`${name}: the old one stays where the new one cannot be written`, async (t) => {
      const at = model(t);
      if (name === 'verify --report')
        await runCli(['convert', at('plm'), '--to', 'gguf:q8_0', '-o', at('art')]);
      mkdirSync(at('out'));
      const command = [...argv(at), '--force', '--threads', '1', '--quiet'];
      for (const fault of FAULTS) {
        writeFileSync(at('out', file), 'old');
        const run = await runWithFault([BINARY, ...command], fault, 1);
        assert.ok(run.hit);
        if (run.status !== null) {
          assertTold(run);
          assertNothingHidden(at('out'));
        }
        assert.equal(readFileSync(at('out', file), 'utf8'), 'old');
        assert.deepEqual(
          readdirSync(at('out')).filter((other) => !other.startsWith('.')),
          [file],
        );
      }
      const { code, stderr } = await runCli(command);
      assert.equal(code, 0, stderr);
      assertNothingHidden(at('out'));
      assert.notEqual(readFileSync(at('out', file), 'utf8'), 'old');
    });
  }
});

describe('what SIGKILL leaves', { skip: NO_FAULTS }, () => {
  const jobs: Readonly<Record<string, (at: (...names: string[]) => string) => readonly string[]>> = {
    'a bundle': (at) => ['convert', at('plm'), '--to', 'webgpu:q8', '-o', at('out')],
    reproduce: (at) => ['reproduce', at('out'), '--from', at('plm')],
  };
  for (const [name, argv] of Object.entries(jobs)) {
    it(`of ${name} goes with the next run in the folder, whatever it makes`, async (t) => {
      const at = model(t);
      await runCli(['convert', at('plm'), '--to', 'gguf:q8_0', '-o', at('out')]);
      const before = treeDigests(at('out'));
      const fault = { call: 'write', action: 'signal=KILL' } as const;
      const run = await runWithFault([BINARY, ...argv(at), '--threads', '1', '--quiet'], fault, 8);
      assert.ok(run.hit && run.status === null, run.stderr);
      assert.ok(treeDigests(at('out')).size > before.size + 1, 'more than the lock is left');
      await runCli(['convert', at('plm'), '--to', 'gguf:q4_0', '-o', at('out')]);
      await runCli(['convert', at('plm'), '--to', 'gguf:q4_0', '-o', at('clean')]);
      await runCli(['convert', at('plm'), '--to', 'gguf:q8_0', '-o', at('clean')]);
      assert.deepEqual(treeDigests(at('out')), treeDigests(at('clean')));
      assert.deepEqual(readdirSync(at('out')).sort(), readdirSync(at('clean')).sort(), 'no folder either');
    });
  }
});

describe('pull, at every call', { skip: NO_FAULTS }, () => {
  async function start(t: TestContext) {
    const at = model(t);
    await runCli(['convert', at('plm'), '--to', 'gguf:q4_0', '-o', at('art')]);
    const server = await HubServer.start(t);
    const files = readdirSync(at('art')).map((name) => [name, readFileSync(at('art', name))] as const);
    server.commit(REPOSITORY, Object.fromEntries(files));
    setEnvironment(t, server.env(at('home')));
    return { at, names: files.map(([name]) => name) };
  }
  const cacheFaults: readonly Fault[] = [
    { call: 'write', action: 'error=ENOSPC' },
    { call: 'rename', action: 'error=EACCES' },
    { call: 'make folder', action: 'error=EACCES' },
    { call: 'make link', action: 'signal=KILL' },
  ];
  const folderFaults: readonly Fault[] = [
    { call: 'write', action: 'error=ENOSPC' },
    { call: 'sync', action: 'error=EIO' },
    { call: 'rename', action: 'signal=KILL' },
  ];

  it('into the cache', async (t) => {
    const { at } = await start(t);
    const command = ['pull', REPOSITORY, '--quiet'];
    await runCli(command, { env: process.env });
    const clean = treeDigests(at('home'));
    for (const fault of cacheFaults) {
      const calls = await failEveryCall([BINARY, ...command], fault, {
        // Each file and folder of the cache goes the same ways; every fourth call meets all of them.
        step: 4,
        before: () => rmSync(at('home'), { recursive: true, force: true }),
        after: async (run) => {
          if (run.status !== null) assertTold(run);
          for (const [file, digest] of existsSync(at('home')) ? treeDigests(at('home')) : []) {
            const isTemporary = /\.plmpress\.incomplete$|\.tmp-\d+-|\.lock$/.test(file);
            if (!isTemporary) assert.equal(digest, clean.get(file), file);
          }
          const again = await runCli(command, { env: process.env });
          assert.equal(again.code, 0, again.stderr);
          for (const [file, digest] of clean) assert.equal(treeDigests(at('home')).get(file), digest, file);
        },
      });
      assert.ok(calls >= 1, `no ${fault.call}`);
    }
  });

  it('into a folder', async (t) => {
    const { at, names } = await start(t);
    const command = ['pull', REPOSITORY, '--quiet', '-o', at('out')];
    for (const fault of folderFaults) {
      await failEveryCall([BINARY, ...command], fault, {
        step: 2,
        before: () => rmSync(at('out'), { recursive: true, force: true }),
        after: async (run) => {
          if (run.status !== null) assertTold(run);
          for (const name of names.filter((name) => existsSync(at('out', name)))) {
            assert.deepEqual(readFileSync(at('out', name)), readFileSync(at('art', name)));
          }
          const again = await runCli(command, { env: process.env });
          assert.equal(again.code, 0, again.stderr);
          assert.deepEqual(treeDigests(at('out')), treeDigests(at('art')));
        },
      });
    }
  });
});

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { describeFailure } from '../../src/cli/failure.ts';
import { checkpointFiles, NEEDED, REPOSITORY } from '../support/builders/hub-checkpoint.ts';
import { BINARY, type CliResult, runCli, spawnCli } from '../support/drivers/run-cli.ts';
import { HubServer } from '../support/fakes/hub-server.ts';
import { treeDigests } from '../support/oracles/digests.ts';
import { fixture } from '../support/paths.ts';
import { asUnprivileged, NO_PERMISSIONS } from '../support/privileges.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MODEL = fixture('plm-tiny');

/** Environment of a process that loads a module of test/support first. */
function withModule(name: string): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: `--import=${new URL(`../support/fakes/${name}.js`, import.meta.url)}` };
}

async function start(t: TestContext) {
  const server = await HubServer.start(t);
  server.commit(REPOSITORY, checkpointFiles());
  const folder = temporaryFolder(t);
  return { server, folder, env: server.env(path.join(folder, 'home')) };
}

describe('a clock that jumps', () => {
  const sane = /NaN|Infinity|undefined/;

  it('changes nothing about a conversion that is verified', async (t) => {
    const folder = temporaryFolder(t);
    const [jumping, steady, text] = ['jumping', 'steady', 'text'].map((name) => path.join(folder, name));
    writeFileSync(text!, 'A clock tells what time it is. '.repeat(10));
    const command = ['convert', MODEL, '--to', 'gguf:q8_0', '--verify', '--text', text!, '--resume', '-o'];
    const { code, stdout, stderr } = await spawnCli(
      [...command, jumping!],
      undefined,
      withModule('jumping-clock'),
    );
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stdout + stderr, sane);
    await runCli([...command, steady!]);
    assert.deepEqual(treeDigests(jumping!), treeDigests(steady!));
  });

  it('ends no transfer of a pull, nor its locks', async (t) => {
    const { folder, env } = await start(t);
    const command = ['pull', REPOSITORY];
    const clock = withModule('jumping-clock');
    const runs = await Promise.all([1, 2].map(() => spawnCli(command, undefined, { ...env, ...clock })));
    for (const { code, stderr } of runs) {
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stderr, sane);
    }
    assert.ok(existsSync(path.join(folder, 'home', 'hub')));
  });
});

describe('too few open files', { skip: process.platform !== 'linux' && 'limits differ by system' }, () => {
  for (const threads of ['1', '2']) {
    it(`end a conversion in one line, wherever they run out: ${threads} threads`, (t) => {
      const folder = temporaryFolder(t);
      const driver = fileURLToPath(new URL('../support/drivers/few-files-driver.js', import.meta.url));
      // Modules are loaded a few hundred at a time.
      const script = 'ulimit -n 512; exec "$0" "$@"';
      const command = ['convert', MODEL, '--to', 'gguf:q8_0', '--threads', threads];
      const argv = ['-c', script, process.execPath, driver, ...command];
      const { stdout, stderr, status } = spawnSync('sh', argv, { cwd: folder, encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      const [all, ...runs] = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { free: number } & CliResult);
      const last = runs.pop()!;
      assert.deepEqual([all!.code, last.code], [0, 0], all!.stderr);
      assert.ok(runs.length >= 3);
      for (const { free, code, stderr: line } of runs) {
        assert.equal(code, 4, line);
        assert.match(line, /^plmpress: error: .*(EMFILE|too many open files).*\n$/);
        assert.equal(existsSync(path.join(folder, `${free}`)), false);
      }
      assert.deepEqual(treeDigests(path.join(folder, `${last.free}`)), treeDigests(path.join(folder, 'all')));
    });
  }
});

describe('two processes', () => {
  it('that pull into one cache share it', async (t) => {
    const { server, env } = await start(t);
    const runs = await Promise.all(
      [1, 2].map(() => spawnCli(['pull', REPOSITORY, '--json'], undefined, env)),
    );
    assert.deepEqual(
      runs.map(({ code }) => code),
      [0, 0],
    );
    assert.equal(server.contentRequests('/model.safetensors').length, 1);
  });

  it('that pull into one folder: one does, the other is told', async (t) => {
    const { folder, env } = await start(t);
    const output = path.join(folder, 'plm');
    const runs = await Promise.all(
      [1, 2].map(() => spawnCli(['pull', REPOSITORY, '-o', output], undefined, env)),
    );
    // One after the other, where the second begins late: it finds all that it needs.
    const codes = runs.map(({ code }) => code).sort();
    assert.ok(codes[0] === 0 && [0, 8].includes(codes[1]!), `${codes}`);
    assert.deepEqual(readdirSync(output).sort(), NEEDED);
  });

  for (const flags of [[], ['--resume']]) {
    it(`that convert into one folder ${flags}: one does, the other is told`, async (t) => {
      const folder = temporaryFolder(t);
      const output = path.join(folder, 'out');
      const command = ['convert', MODEL, '--to', 'gguf:q4_k_m', ...flags, '-o'];
      const runs = await Promise.all([1, 2].map(() => spawnCli([...command, output])));
      const codes = runs.map(({ code }) => code).sort();
      // The second of two in series finds that the files are there.
      assert.ok(codes[0] === 0 && [4, 8].includes(codes[1]!), `${codes}`);
      await runCli([...command, `${output}-alone`]);
      assert.deepEqual(treeDigests(output), treeDigests(`${output}-alone`));
    });
  }
});

const NO_NAMESPACES: string | false =
  spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status !== 0 &&
  'unshare is not installed or not allowed: no process gets other process numbers';

it('a run in another container holds its folder, also while it is stopped', {
  skip: NO_NAMESPACES,
}, async (t) => {
  const output = path.join(temporaryFolder(t), 'out');
  const command = ['convert', MODEL, '--to', 'gguf:q4_k_m', '--threads', '1', '--quiet', '-o', output];
  const script = '"$0" "$@" & read -r _; kill -CONT $!; wait $!';
  const namespace = ['--pid', '--fork', '--mount-proc', '--kill-child'];
  const other = spawn('unshare', [...namespace, 'sh', '-c', script, process.execPath, BINARY, ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...withModule('stopping-write') },
  });
  t.after(() => other.kill('SIGKILL'));
  const ended = once(other, 'exit');
  await once(other.stdout, 'data');
  const { code, stderr } = await runCli(command);
  other.stdin.end('\n');
  assert.equal(code, 8, stderr);
  assert.match(
    stderr,
    /^plmpress: error: \S+: locked by process \d+ of (a container|another container or machine) \(.+\)[^\n]*\n$/,
  );
  assert.deepEqual(await ended, [0, null]);
  await runCli(['convert', MODEL, '--to', 'gguf:q4_k_m', '-o', `${output}-alone`]);
  assert.deepEqual(treeDigests(output), treeDigests(`${output}-alone`));
});

describe('a home that cannot be written', { skip: NO_PERMISSIONS }, () => {
  /** As `start`, with a closed home, and a folder beside it that is open to everybody. */
  async function startClosed(t: TestContext) {
    const { folder, env } = await start(t);
    const home = path.join(folder, 'home');
    const open = path.join(folder, 'open');
    mkdirSync(home);
    mkdirSync(open);
    chmodSync(folder, 0o755);
    chmodSync(home, 0o555);
    chmodSync(open, 0o777);
    return { home, open, run: (argv: readonly string[]) => asUnprivileged(() => runCli(argv, { env })) };
  }

  it('is told by pull in one line', async (t) => {
    const { home, run } = await startClosed(t);
    const { code, stderr } = await run(['pull', REPOSITORY, '--quiet']);
    assert.equal(code, 4, stderr);
    assert.match(stderr, /^plmpress: error: [^\n]*permission denied \(EACCES\)\n$/);
    assert.deepEqual(readdirSync(home), []);
  });

  it('is no matter to what needs no cache', async (t) => {
    const { home, open, run } = await startClosed(t);
    const commands = [
      ['inspect', REPOSITORY],
      ['pull', REPOSITORY, '-o', path.join(open, 'plm')],
      ['convert', REPOSITORY, '--to', 'gguf:q8_0', '--stream', '-o', path.join(open, 'out')],
    ];
    for (const command of commands) {
      const { code, stderr } = await run(command);
      assert.equal(code, 0, `${command[0]}: ${stderr}`);
    }
    assert.deepEqual(readdirSync(home), []);
  });
});

it('a second SIGINT ends a run that does not get done with cleaning up', {
  skip: process.platform === 'win32',
}, async (t) => {
  const output = path.join(temporaryFolder(t), 'out');
  let sent = 0;
  const { code, signal } = await spawnCli(
    ['convert', MODEL, '--to', 'gguf:q8_0', '-o', output],
    (text, kill) => {
      const isDue = [/convert:/, /removes/][sent]?.test(text);
      if (!isDue) return;
      sent++;
      kill('SIGINT');
    },
    withModule('hanging-removal'),
  );
  // Ended by the system, which shells report as 130.
  assert.deepEqual([code, signal, sent], [-1, 'SIGINT', 2]);
});

it('memory that the system does not give is the fault of the machine, in one line', () => {
  const { exitCode, message } = describeFailure(new RangeError('Array buffer allocation failed'));
  assert.deepEqual([exitCode, message], [4, 'out of memory: the system refused an allocation']);
});

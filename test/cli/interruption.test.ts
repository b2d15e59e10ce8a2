import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildProgram } from '../../src/cli/program.ts';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { fixtureText } from '../support/builders/statistics.ts';
import { type CliResult, type CliWorld, runCli } from '../support/drivers/run-cli.ts';
import { HubServer } from '../support/fakes/hub-server.ts';
import { treeDigests } from '../support/oracles/digests.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Runs a command line in this process, which gets SIGINT as soon as stderr tells of a phase. */
async function interruptAt(phase: string, argv: readonly string[], world: CliWorld = {}): Promise<CliResult> {
  let isSent = false;
  return runCli(argv, {
    ...world,
    onStderr: (text) => {
      if (isSent || !new RegExp(`^plmpress: ${phase}`, 'm').test(text)) return;
      isSent = true;
      process.kill(process.pid, 'SIGINT');
    },
  });
}

function assertInterrupted({ code, stdout, stderr }: CliResult): void {
  assert.deepEqual([code, stdout], [130, ''], stderr);
  assert.match(stderr, /\nplmpress: error: interrupted by SIGINT\n$/);
}

/** By command: what to run, in a folder of inputs, and in which of its phases it is interrupted. */
const JOBS: Readonly<Record<string, readonly (readonly [phase: string, line: string])[]>> = {
  convert: [
    ['convert', 'plm --to gguf:q4_0 --to onnx:q4 -o new'],
    [
      'convert',
      'plm --to gguf:q4_0 --quality best --statistics stats --pass prune-ffn:ratio=0.5,multiple=32 -o new',
    ],
    ['prune-ffn', 'plm --to gguf:q4_0 --statistics stats --pass prune-ffn:ratio=0.5,multiple=32 -o new'],
    ['convert', 'plm --to gguf:q4_0 --quality best --text text -o new'],
    ['convert', 'plm --to gguf:q4_0 --part 1/2 -o new'],
    ['read back', 'plm --to gguf:q4_0 -o new'],
    ['self-test', 'plm --to webgpu:q4 -o new'],
    ['measure errors', 'plm --to gguf:q4_0 --target-size 300KB --text text -o new'],
    ['measure sensitivities', 'plm --to gguf:q4_0 --target-size 300KB --text text -o new'],
  ],
  verify: [
    ['check files', 'out --against plm --text text'],
    ['compare tensors', 'out --against plm --text text'],
    ['run layers', 'out/plm-Q8_0.gguf --against plm --text text'],
    ['compare:', 'out/plm-Q8_0.gguf --against plm --text text --report new.html'],
    ['compare:', 'out/onnx/model_q8.onnx --against plm --text text'],
    ['compare:', 'out/onnx/model_q8.onnx --against plm --text text --engine onnxruntime'],
  ],
  calibrate: [
    ['calibrate', 'plm --text text -o new'],
    ['calibrate', 'plm --text text -o new --second-moments all'],
  ],
  sweep: [
    ['measure errors', 'plm --to gguf:q4_0 --sizes 300KB --quality fast --text text --tokens 16 -o new'],
    ['compare', 'plm --to gguf:q4_0 --sizes 300KB --quality fast --text text --tokens 16 -o new'],
  ],
  reproduce: [['convert', 'out --from plm -o new']],
  merge: [['merge', 'parts/1 parts/2 --from plm -o new']],
  diff: [['compare tensors', 'plm out/plm-Q8_0.gguf']],
  generate: [['load weights', 'plm --prompt Call']],
  logits: [['load weights', 'plm --ids 1,2,3']],
};

/**
 * Commands that are interrupted where they wait for others: push below, pull in terminal.test.ts, serve in
 * serve.test.ts.
 */
const WAITING = ['pull', 'push', 'serve'];

/** Commands that end soon by themselves. */
const SHORT = ['completion', 'doctor', 'inspect', 'matrix', 'passes', 'plan', 'schemes', 'tokenize'];

it('is asked of every command that can last', () => {
  const io = { stdout: new Writable(), stderr: new Writable(), env: {} };
  const { commands } = buildProgram(
    io,
    () => assert.fail(),
    () => {},
  );
  assert.deepEqual(
    commands.map((command) => command.name()).sort(),
    [...Object.keys(JOBS), ...WAITING, ...SHORT].sort(),
  );
});

describe('a first signal ends', () => {
  let folder = '';
  let inputs: unknown;
  const cleanups: (() => void)[] = [];
  const spare = () => {};
  /** Words of a line, of which those that the folder has a file for are paths in it. */
  const words = (line: string) =>
    line
      .split(' ')
      .map((word) => (/^(plm|out|parts|stats|text|new)\b(?!-)/.test(word) ? path.join(folder, word) : word));

  before(async () => {
    // A signal that comes too late must fail a test, not end this process.
    process.on('SIGINT', spare);
    folder = temporaryFolder({ after: (clean) => cleanups.push(clean as () => void) });
    writeRandomCheckpoint(path.join(folder, 'plm'), { config: BLOCKS_OF_32 });
    writeFileSync(path.join(folder, 'text'), fixtureText('calibration', 600));
    for (const line of [
      'convert plm --to gguf:q8_0 --to onnx:q8 -o out',
      'convert plm --to gguf:q8_0 --part 1/2 -o parts/1',
      'convert plm --to gguf:q8_0 --part 2/2 -o parts/2',
      'calibrate plm --text text --second-moments all -o stats',
    ]) {
      const { code, stderr } = await runCli(words(line));
      assert.equal(code, 0, stderr);
    }
    inputs = treeDigests(folder);
  });
  after(() => {
    process.off('SIGINT', spare);
    for (const clean of cleanups) clean();
  });

  for (const [command, ways] of Object.entries(JOBS)) {
    for (const [phase, line] of ways) {
      it(`${command} ${line}: ${phase}`, async () => {
        assertInterrupted(await interruptAt(phase, [command, ...words(line), '--threads', '1']));
        assert.deepEqual(treeDigests(folder), inputs);
      });
    }
  }

  it('push', async (t) => {
    const server = await HubServer.start(t);
    server.commit('me/plm', { '.gitattributes': '' });
    server.misbehaviours.push(({ method, server: where }) => where === 'store' && method === 'PUT');
    const argv = ['push', path.join(folder, 'out'), '--repo', 'me/plm'];
    const result = await interruptAt('upload', argv, { env: server.env(temporaryFolder(t)) });
    assertInterrupted(result);
  });
});

it('a second signal ends a process at once that is too busy to hear it', { timeout: 60_000 }, async (t) => {
  const program = fileURLToPath(new URL('../support/fakes/busy-once-interrupted.js', import.meta.url));
  for (const [first, second] of [
    ['SIGINT', 'SIGINT'],
    ['SIGTERM', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
  ] as const) {
    const child = spawn(process.execPath, [program]);
    t.after(() => child.kill('SIGKILL'));
    const said = (word: string) =>
      once(child.stdout.setEncoding('utf8'), 'data').then(([text]) => assert.equal(text, word));
    await said('ready');
    child.kill(first);
    await said('busy');
    child.kill(second);
    assert.deepEqual(await once(child, 'close'), [null, second]);
  }
});

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { before, describe, it, type TestContext } from 'node:test';
import { main } from '../../src/cli/main.ts';
import { checkpointFiles, REPOSITORY } from '../support/builders/hub-checkpoint.ts';
import { NO_TERMINAL, runInTerminal, type Terminal } from '../support/drivers/pseudo-terminal.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { Screen, ScreenStream } from '../support/drivers/screen.ts';
import { HubServer } from '../support/fakes/hub-server.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');
const GENERATE = ['generate', TINY, '--prompt', 'Call me', '-n', '40', '--temperature', '0'];
const CTRL_C = '\x03';

/** What a terminal of 80 columns shows after all that it was sent. */
function shownBy(output: string, columns = 80): Screen {
  const screen = new Screen(columns);
  // Systems put a carriage return before each line break.
  screen.write(output);
  return screen;
}

function wrapped(text: string, columns: number): string[] {
  return text
    .split('\n')
    .flatMap((line) => line.match(new RegExp(`.{1,${columns}}`, 'gsu')) ?? [''])
    .map((line) => line.trimEnd());
}

/** The lines of a screen, but for those of phases that a busy machine has taken long for. */
function stays({ lines }: Screen): string[] {
  return lines.filter((line) => !/^• (load weights|convert|read back|download): .*in [\d.:]+/.test(line));
}

/** Acts on the first output that matches. */
function once(due: RegExp, act: (terminal: Terminal) => void) {
  let isDone = false;
  return (output: string, terminal: Terminal) => {
    if (isDone || !due.test(output)) return;
    isDone = true;
    act(terminal);
  };
}

function assertInterrupted(screen: Screen, signal: string): void {
  const lines = stays(screen);
  const all = lines.join('\n');
  assert.ok(
    lines.some((line) => line.startsWith(`plmpress: error: interrupted by ${signal}`)),
    all,
  );
  assert.ok(
    lines.every((line) => /^(plmpress:|•) /.test(line) && !line.includes('^C')),
    all,
  );
  assert.deepEqual([screen.column, screen.showsCursor], [0, true]);
}

/** A Hub whose weights stop in the middle, for runs that last until they are interrupted. */
async function stalledHub(t: TestContext): Promise<NodeJS.ProcessEnv> {
  const server = await HubServer.start(t);
  const files = checkpointFiles();
  server.commit(REPOSITORY, files);
  server.misbehaviours.push((request, response) => {
    if (request.server !== 'store' || request.method !== 'GET') return false;
    const weights = files['model.safetensors']!;
    response.writeHead(200, { 'Content-Length': weights.length });
    response.write(weights.subarray(0, 1000));
    return true;
  });
  return { ...server.env(temporaryFolder(t)), HF_HUB_DOWNLOAD_TIMEOUT: '600' };
}

describe('in a terminal', { skip: NO_TERMINAL }, () => {
  let text: string;
  before(async () => {
    text = JSON.parse((await runCli([...GENERATE, '--json'])).stdout).text;
  });

  it('generate shows its text as it is', async (t) => {
    const { code, output } = await runInTerminal(t, GENERATE, { columns: 80 });
    const screen = shownBy(output);
    assert.equal(code, 0);
    const lines = wrapped(text, 80);
    assert.deepEqual(stays(screen).slice(0, lines.length), lines);
    assert.match(stays(screen)[lines.length]!, /^• 40 tokens, [\d.]+ tokens\/s, ended by length$/);
    assert.deepEqual([stays(screen).length, screen.column, screen.showsCursor], [lines.length + 2, 0, true]);
  });

  it('convert leaves its table and what is to be remembered, and nothing else', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const argv = ['convert', TINY, '--to', 'gguf:q8_0', '-o', output];
    const { code, output: written } = await runInTerminal(t, argv, { columns: 200 });
    const screen = shownBy(written, 200);
    assert.equal(code, 0);
    const lines = stays(screen);
    assert.match(lines[0]!, /^file +size +bytes/);
    assert.match(lines[1]!, /^plm-tiny-Q8_0\.gguf +4\.41 MB +4,411,360 /);
    assert.match(lines[3]!, /^plm-tiny: 8\.17 MB -> 4\.41 MB/);
    assert.match(lines[4]!, /^• run it in llama\.cpp/);
    assert.deepEqual([lines.length, screen.column, screen.showsCursor], [5, 0, true]);
  });

  it('of 0 columns a run tells its phases line by line, and takes Ctrl-C', async (t) => {
    const env = await stalledHub(t);
    const { code, output } = await runInTerminal(
      t,
      ['pull', REPOSITORY],
      { columns: 0, env },
      once(/download/, (terminal) => terminal.type(CTRL_C)),
    );
    assert.equal(code, 130);
    assert.match(output, /^plmpress: download: [\d.]+ MB\r\n/);
    assertInterrupted(shownBy(output), 'SIGINT');
  });

  const WAYS: Readonly<Record<string, (terminal: Terminal) => void>> = {
    'Ctrl-C': (terminal) => terminal.type(CTRL_C),
    'SIGTERM after a change of the width': (terminal) => {
      terminal.resize(24);
      setTimeout(() => terminal.kill('SIGTERM'), 400);
    },
  };
  for (const [way, interrupt] of Object.entries(WAYS)) {
    it(`a run that waits ends by ${way} with one line`, async (t) => {
      const env = await stalledHub(t);
      const { code, output } = await runInTerminal(
        t,
        ['pull', REPOSITORY],
        { columns: 80, env },
        once(/download: .* of /, interrupt),
      );
      const signal = way === 'Ctrl-C' ? 'SIGINT' : 'SIGTERM';
      assert.equal(code, way === 'Ctrl-C' ? 130 : 143);
      const screen = shownBy(output);
      assertInterrupted(screen, signal);
      assert.ok(screen.lines.some((line) => line.startsWith('• the downloaded bytes are kept: ')));
    });
  }

  it('serve ends by Ctrl-C without an error', async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(path.join(folder, 'manifest.json'), '{}');
    const { code, output } = await runInTerminal(
      t,
      ['serve', folder, '--port', '0'],
      { columns: 80 },
      once(/to stop/, (terminal) => terminal.type(CTRL_C)),
    );
    const { lines, column } = shownBy(output);
    assert.equal(code, 0);
    assert.match(lines[0]!, /^http:\/\/127\.0\.0\.1:\d+\/$/);
    assert.deepEqual([lines.slice(1), column], [['• serving; press Ctrl-C to stop', '• stopped'], 0]);
  });

  it('an error in the midst of a text begins on a line of its own', async (t) => {
    const argv = [...GENERATE.slice(0, 4), '-n', '900', '--temperature', '0', '--threads', '1'];
    const start = text.trimStart().slice(0, 5);
    const { code, output } = await runInTerminal(
      t,
      argv,
      { columns: 80 },
      once(new RegExp(start), (terminal) => terminal.type(CTRL_C)),
    );
    const screen = shownBy(output);
    assert.equal(code, 130);
    const [line, error] = screen.lines.slice(-2);
    assert.deepEqual([error, screen.column], ['plmpress: error: interrupted by SIGINT', 0]);
    assert.ok(stays(screen).join('').trimStart().startsWith(start), line);
  });
});

describe('on a stream that is a terminal', () => {
  /** Runs a command in this process, with both streams on one screen. */
  async function onScreen(argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const stream = new ScreenStream(80);
    const code = await main(argv, { stdout: stream, stderr: new ScreenStream(80, stream.screen), env });
    return { code, screen: stream.screen };
  }

  it('an error leaves one line and the cursor', async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(path.join(folder, 'plm-tiny-Q8_0.gguf'), '');
    const { code, screen } = await onScreen(['convert', TINY, '--to', 'gguf:q8_0', '-o', folder]);
    assert.equal(code, 4);
    assert.match(screen.lines.join(''), /^plmpress: error: plm-tiny-Q8_0\.gguf: /);
    assert.deepEqual([screen.column, screen.showsCursor], [0, true]);
  });

  it('text goes to a file whole while stderr is a terminal, and to a terminal while stderr is a file', async () => {
    const { text } = JSON.parse((await runCli([...GENERATE, '--json'])).stdout);
    const [file, log] = [new PassThrough({ encoding: 'utf8' }), new PassThrough({ encoding: 'utf8' })];
    const [stdout, stderr] = [new ScreenStream(80), new ScreenStream(80)];
    await main(GENERATE, { stdout: file, stderr, env: {} });
    assert.equal(file.read(), `${text}\n`);
    assert.deepEqual([stays(stderr.screen).length, stderr.screen.showsCursor], [2, true]);
    await main(GENERATE, { stdout, stderr: log, env: {} });
    assert.deepEqual(stdout.screen.lines, wrapped(text, 80));
    assert.match(log.read(), /^plmpress: load weights: /);
  });

  for (const [env, moves] of [
    [{ TERM: 'dumb' }, false],
    [{ CI: 'true' }, false],
    [{ CI: 'false' }, true],
    [{ NO_COLOR: '1' }, true],
  ] as const) {
    const [[name, value]] = Object.entries(env) as [[string, string]];
    it(`progress ${moves ? 'moves' : 'comes line by line'} with ${name}=${value}`, async () => {
      const { code, screen } = await onScreen([...GENERATE.slice(0, 4), '-n', '1'], env);
      assert.equal(code, 0);
      assert.equal(screen.lines[0]!.startsWith('plmpress: load weights'), !moves);
      assert.equal(screen.showsCursor, true);
    });
  }
});

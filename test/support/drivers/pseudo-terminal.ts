import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { shellWord } from '../../../src/core/text/format.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { BINARY } from './run-cli.ts';

/** `script` of util-linux, which Debian always has; that of other systems takes other arguments. */
const found = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux');

/** Why tests in a pseudo-terminal cannot run here, or false. */
export const NO_TERMINAL = found ? false : 'script of util-linux is not installed';

export interface TerminalOptions {
  /** 0: the terminal does not tell its width. */
  readonly columns: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Redirections of the shell, as `2>log`. */
  readonly redirect?: string;
}

export interface Terminal {
  /** Sends bytes as keys do; 3 is Ctrl-C. */
  type(bytes: string): void;
  kill(signal: NodeJS.Signals): void;
  /** Changes the width, of which the system tells the program. */
  resize(columns: number): void;
}

export interface TerminalResult {
  readonly code: number;
  /** All that the terminal was sent. */
  readonly output: string;
}

/** Runs the program in a terminal of its own. `onOutput` sees what has come so far. */
export async function runInTerminal(
  t: TestContext,
  argv: readonly string[],
  { columns, env = {}, redirect = '' }: TerminalOptions,
  onOutput: (output: string, terminal: Terminal) => void = () => {},
): Promise<TerminalResult> {
  const folder = temporaryFolder(t);
  const about = path.join(folder, 'about');
  const command = [process.execPath, BINARY, ...argv].map(shellWord).join(' ');
  const shell = `stty rows 24 cols ${columns} echo; { echo $$; tty; } >${about}; exec ${command} ${redirect}`;
  const child = spawn('script', ['--quiet', '--flush', '--return', '--command', shell, '/dev/null'], {
    cwd: folder,
    env: { ...process.env, CI: '', NO_COLOR: '', TERM: 'xterm', SHELL: '/bin/sh', ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  const [pid, device] = [0, 1].map((line) => () => readFileSync(about, 'utf8').split('\n')[line]!) as [
    () => string,
    () => string,
  ];
  const terminal: Terminal = {
    type: (bytes) => void child.stdin.write(bytes),
    kill: (signal) => void process.kill(Number(pid()), signal),
    resize: (width) => void spawnSync('stty', ['-F', device(), 'cols', String(width)]),
  };
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
    onOutput(output, terminal);
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject).on('close', (status) => resolve(status ?? -1));
  });
  return { code, output };
}

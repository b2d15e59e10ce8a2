import { spawn } from 'node:child_process';
import path from 'node:path';
import { Writable } from 'node:stream';
import { main } from '../../../src/cli/main.ts';
import { repoRoot } from '../paths.ts';

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliWorld {
  readonly env?: NodeJS.ProcessEnv;
  /** Both streams are terminals. They never move: the environment says CI. */
  readonly tty?: boolean;
  /** Sees all that has come on stderr so far. */
  readonly onStderr?: (text: string) => void;
}

/** Runs a command line in this process. */
export async function runCli(
  argv: readonly string[],
  { env = {}, tty = false, onStderr }: CliWorld = {},
): Promise<CliResult> {
  const stdout = new Collector(tty);
  const stderr = new Collector(tty, onStderr);
  const code = await main(argv, { stdout, stderr, env: { CI: '1', ...env } });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

class Collector extends Writable {
  readonly isTTY: boolean;
  text = '';

  readonly #onText: (text: string) => void;

  constructor(isTty: boolean, onText: (text: string) => void = () => {}) {
    super({ decodeStrings: false });
    this.isTTY = isTty;
    this.#onText = onText;
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk;
    this.#onText(this.text);
    done();
  }
}

export const BINARY = path.join(repoRoot, 'bin', 'plmpress.js');

/** A run that hangs ends after so many milliseconds, so that its test can say so. */
const SPAWN_TIMEOUT = 300_000;

/**
 * Runs the program in a process of its own. `onStderr` sees what has come so far and can send signals; `env`
 * is added to the environment.
 */
export function spawnCli(
  argv: readonly string[],
  onStderr: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
  env: NodeJS.ProcessEnv = {},
): Promise<CliResult & { readonly signal: NodeJS.Signals | null }> {
  const child = spawn(process.execPath, [BINARY, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: SPAWN_TIMEOUT,
    env: { ...process.env, ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
    onStderr(stderr, (signal) => child.kill(signal));
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: code ?? -1, signal, stdout, stderr }));
  });
}

import { spawn } from 'node:child_process';

const PROMPT = 'ready>';

export interface TypedShell {
  /** A command that starts it interactively and without the settings of a user. */
  readonly command: string;
  /** Lines before the first prompt that counts. */
  readonly setUp: readonly string[];
  readonly cwd: string;
}

/**
 * Types lines, tabs included, into a shell on a terminal of its own (script of util-linux), each when the
 * shell asks for it. `plmpress` prints its arguments there, as `<convert><-o>`. Returns them line by line.
 */
export function typeInShell(
  { command, setUp, cwd }: TypedShell,
  lines: readonly string[],
): Promise<string[]> {
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, TERM: 'dumb', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const waiting = [...lines, 'exit'];
  let text = '';
  let read = 0;
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    for (;;) {
      const prompt = text.indexOf(PROMPT, read);
      if (prompt < 0 || waiting.length === 0) return;
      read = prompt + PROMPT.length;
      child.stdin.write(`${waiting.shift()}\n`);
    }
  });
  // In two halves, so that the echo of the line itself is no prompt.
  const prompt = `PS1='${PROMPT.slice(0, 3)}''${PROMPT.slice(3)}'`;
  child.stdin.write(`${[...setUp, `plmpress() { printf '<%s>' "$@"; echo; }; ${prompt}`].join('; ')}\n`);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve([...text.matchAll(/^(<.*>)\r?$/gm)].map(([, printed]) => printed!)));
  });
}

import { spawnSync } from 'node:child_process';

/** A command line of plmpress as help or a page shows it. */
export interface CommandLine {
  /** Where it stands. */
  readonly where: string;
  readonly line: string;
}

/** What people type for the program. */
const PROGRAM = /^(?:node bin\/plmpress\.js|plmpress)(?= )/;

/** Indented lines below `Examples:`. */
export function examplesOf(help: string, where: string): CommandLine[] {
  const [, examples = ''] = help.split(/^Examples:\n/m);
  return [...joined(examples).matchAll(/^ {2}(plmpress .*)$/gm)].map(([, line]) => ({ where, line: line! }));
}

/** Blocks of code of one language, or of several. */
export function codeBlocks(markdown: string, languages: readonly string[]): string[] {
  const blocks = markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm);
  return [...blocks].filter(([, language]) => languages.includes(language!)).map(([, , text]) => text!);
}

/** Lines that end with a backslash, joined with the next. */
function joined(text: string): string {
  return text.replace(/\\\n\s*/g, '');
}

/** Lines that begin with the program, in blocks for a shell and in steps of workflows. */
export function commandsOf(markdown: string, where: string): CommandLine[] {
  const text = joined(codeBlocks(markdown, ['sh', 'bash', 'yaml']).join('\n'));
  return text
    .split('\n')
    .flatMap((line) => line.split(/ && |\$\((?=plmpress)/))
    .map((line) => line.trim().replace(/^- (run: )?/, ''))
    .filter((line) => PROGRAM.test(line))
    .map((line) => ({ where, line: line.replace(/ \|.*$/, '') }));
}

/** The words that bash makes of a line behind the program's name, without redirections. */
export function wordsOf(line: string, cwd: string, env: NodeJS.ProcessEnv = {}): string[] {
  const command = line.replace(PROGRAM, 'words').replace(/ > .*$/, '');
  const script = `words() { printf '%s\\0' "$@"; }; ${command}`;
  const { stdout, status, stderr } = spawnSync('bash', ['--norc', '-c', script], {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
  if (status !== 0) throw new Error(`${line}: ${stderr}`);
  return stdout.split('\0').slice(0, -1);
}

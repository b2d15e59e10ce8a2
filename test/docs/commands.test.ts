import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { checkpointFiles } from '../support/builders/hub-checkpoint.ts';
import { type CommandLine, commandsOf, examplesOf, wordsOf } from '../support/drivers/command-lines.ts';
import { idleProgram } from '../support/drivers/idle-program.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { HubServer } from '../support/fakes/hub-server.ts';
import { fixture, repoRoot } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** The command line as it is, whose commands take their arguments and do nothing. */
function parsingProgram() {
  const program = idleProgram();
  for (const command of program.commands) command.action(() => {});
  return program;
}

const HELPS = idleProgram().commands.map((command) => {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  return { name: command.name(), help };
});
const EXAMPLES = HELPS.flatMap(({ name, help }) => examplesOf(help, `${name} --help`));

function pages(): string[] {
  const docs = readdirSync(path.join(repoRoot, 'docs'), { recursive: true, encoding: 'utf8' });
  return ['README.md', 'CONTRIBUTING.md', ...docs.map((file) => path.join('docs', file))].filter((file) =>
    file.endsWith('.md'),
  );
}

/** What job engines, loops and scripts set. */
const ENGINE = {
  model: 'org/name',
  repo: 'org/other',
  MODEL: 'org/name',
  TARGET: 'gguf:q4_k_m',
  PART: '1/4',
  JOBS: '--model org/name --to gguf:q4_k_m',
  SLURM_ARRAY_TASK_ID: '1',
  SLURM_ARRAY_TASK_COUNT: '4',
  SLURM_CPUS_PER_TASK: '4',
  JOB_COMPLETION_INDEX: '0',
  part: '1',
};

describe('help', () => {
  for (const { name, help } of HELPS) {
    it(`of ${name} says what for and shows two examples`, () => {
      assert.ok(examplesOf(help, name).length >= 2);
      const [, told] = help.split(/^Global Options:\n(?: {2}.*\n)+\n/m);
      assert.match(told!, /^(?!Examples:).{20}/, 'a line before the examples');
    });
  }
});

describe('command lines', () => {
  it('of help and pages have commands, options and values that are there', async () => {
    const lines = [
      ...EXAMPLES,
      ...pages().flatMap((page) => commandsOf(readFileSync(path.join(repoRoot, page), 'utf8'), page)),
    ];
    assert.ok(lines.length > 90, String(lines.length));
    const wrong: string[] = [];
    for (const { where, line } of lines) {
      const words = wordsOf(line, '/', ENGINE);
      await parsingProgram()
        .parseAsync(words, { from: 'user' })
        .catch(({ message }) => wrong.push(`${where}: ${line}: ${message}`));
    }
    assert.deepEqual(wrong, []);
  });
});

describe('an example of help runs', () => {
  let world: string;
  let server: HubServer;
  const home = process.cwd();
  const cleanUps: (() => void)[] = [];
  const suite = { after: (done: () => void) => void cleanUps.push(done) };

  before(async () => {
    world = temporaryFolder(suite);
    server = await HubServer.start(suite as never);
    server.commit('PLM-Team/PLM-1.8B-Instruct', checkpointFiles());
    const checkpoint = path.join(world, 'checkpoint');
    mkdirSync(checkpoint);
    for (const name of readdirSync(fixture('plm-tiny')).filter((file) => file !== 'golden.json'))
      cpSync(fixture('plm-tiny', name), path.join(checkpoint, name));
    const text = readFileSync(fixture('text', 'eval.txt'), 'utf8').slice(0, 2000);
    writeFileSync(path.join(world, 'sample.txt'), text);
    process.chdir(world);
    await prepared(`convert checkpoint/ --to gguf:q8_0 -o out/`);
    await prepared(`calibrate checkpoint/ --text sample.txt --second-moments all -o stats.gguf`);
    for (const part of [1, 2])
      await prepared(`convert checkpoint/ --to gguf:q4_k_m --part ${part}/2 -o parts/${part}`);
  });

  after(() => {
    process.chdir(home);
    for (const cleanUp of cleanUps) cleanUp();
  });

  async function prepared(line: string): Promise<void> {
    const { code, stderr } = await runCli(line.split(' '));
    assert.equal(code, 0, stderr);
  }

  /** Tests of their own run these: serving ends with an interruption only, a sweep takes a minute. */
  const running = EXAMPLES.filter(({ line }) => !/^plmpress (serve|sweep) /.test(line));

  for (const { line } of running.filter(isFirst)) {
    it(line, async (t) => {
      const folder = temporaryFolder(t);
      for (const name of readdirSync(world)) symlinkSync(path.join(world, name), path.join(folder, name));
      process.chdir(folder);
      const words = wordsOf(line, folder);
      // People run them where nothing is in the way.
      const output = words[words.indexOf('-o') + 1];
      if (words.includes('-o')) rmSync(path.resolve(folder, output!), { force: true });
      const { code, stdout, stderr } = await runCli(words, { env: server.env(path.join(folder, 'cache')) });
      process.chdir(home);
      assert.equal(code, 0, stderr);
      assert.notEqual(stdout, '');
      if (words.includes('--json')) JSON.parse(stdout);
    });
  }
});

function isFirst({ line }: CommandLine, index: number, all: readonly CommandLine[]): boolean {
  return all.findIndex((other) => other.line === line) === index;
}

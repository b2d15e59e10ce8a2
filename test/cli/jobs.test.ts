import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { idleProgram } from '../support/drivers/idle-program.ts';
import { BINARY, runCli } from '../support/drivers/run-cli.ts';
import { treeDigests } from '../support/oracles/digests.ts';
import { fixture, repoRoot } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');

const docs = (name: string) => readFileSync(path.join(repoRoot, 'docs', name), 'utf8');

/** Code blocks of a page in a language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, found, code]) =>
    found === language ? [code!] : [],
  );
}

describe('docs', () => {
  const program = idleProgram();

  for (const page of ['jobs.md', 'reproducibility.md']) {
    it(`${page} has commands and options that there are`, () => {
      const code = ['sh', 'bash', 'yaml'].flatMap((language) => blocks(docs(page), language)).join('\n');
      const lines = code.replaceAll(/\\\n\s*/g, '').matchAll(/\bplmpress ([a-z]+) ([^\n]*)/g);
      let seen = 0;
      for (const [line, name, rest] of lines) {
        const command = program.commands.find((known) => known.name() === name);
        assert.ok(command, line);
        const known = [...program.options, ...command.options].flatMap(({ short, long }) => [short, long]);
        for (const [flag] of rest!.split(/[|#]/)[0]!.matchAll(/(?<= )--?[a-z][a-z-]*/g)) {
          assert.ok(known.includes(flag), `${name} has no ${flag}: ${line}`);
          seen++;
        }
      }
      assert.ok(seen >= 5);
    });
  }

  it('jobs.md lists a matrix that GitHub takes', async () => {
    const [workflow] = blocks(docs('jobs.md'), 'yaml');
    const flags = /JOBS: (.*)/.exec(workflow!)![1]!.split(' ');
    const { code, stdout } = await runCli(['matrix', ...flags, '--parts', '4']);
    assert.equal(code, 0);
    const { include } = JSON.parse(stdout);
    assert.equal(include.length, 8);
    for (const { part } of include) assert.match(part, /^[1-4]\/4$/);
  });
});

/**
 * Runs a script like Slurm: every task of its array, with the variables that it would have. Prints a number.
 */
const SBATCH = `#!/bin/bash
set -euo pipefail
script="\${!#}"
array=$(sed -n 's/^#SBATCH --array=1-//p' "$script")
for task in $(seq "\${array:-1}"); do
  SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT="\${array:-1}" SLURM_CPUS_PER_TASK=1 bash "$script" >&2
done
echo 17
`;

const hasBash = spawnSync('bash', ['--version']).status === 0;

describe('templates run', { skip: !hasBash && 'no bash here' }, () => {
  /** A folder with a checkpoint, and where \`plmpress\` and \`sbatch\` are commands. */
  function workplace(t: TestContext) {
    const folder = temporaryFolder(t);
    const bin = path.join(folder, 'bin');
    mkdirSync(bin);
    const tools = { plmpress: `#!/bin/sh\nexec "${process.execPath}" "${BINARY}" "$@"\n`, sbatch: SBATCH };
    for (const [name, text] of Object.entries(tools)) {
      writeFileSync(path.join(bin, name), text);
      chmodSync(path.join(bin, name), 0o755);
    }
    symlinkSync(TINY, path.join(folder, 'checkpoint'));
    const env = { PATH: `${bin}:${process.env.PATH}` };
    const bash = (script: string, more: NodeJS.ProcessEnv = {}) => {
      const { status, stderr } = spawnSync('bash', ['-euc', script], {
        cwd: folder,
        env: { ...env, ...more },
      });
      assert.equal(status, 0, stderr.toString());
    };
    return { folder, bash };
  }

  async function assertWhole(folder: string): Promise<void> {
    const whole = path.join(folder, 'whole');
    const { code } = await runCli([
      'convert',
      path.join(folder, 'checkpoint'),
      '--to',
      'gguf:q4_k_m',
      '-o',
      whole,
      '-q',
    ]);
    assert.equal(code, 0);
    assert.deepEqual(treeDigests(path.join(folder, 'out')), treeDigests(whole));
  }

  it('of Slurm', async (t) => {
    const { folder, bash } = workplace(t);
    const [convert, merge] = blocks(docs('jobs.md'), 'bash');
    writeFileSync(path.join(folder, 'convert.sbatch'), convert!);
    writeFileSync(path.join(folder, 'merge.sbatch'), merge!);
    bash(blocks(docs('jobs.md'), 'sh').find((block) => block.includes('sbatch'))!);
    await assertWhole(folder);
  });

  it('of Kubernetes', async (t) => {
    const { folder, bash } = workplace(t);
    const job = blocks(docs('jobs.md'), 'yaml').find((block) => block.includes('kind: Job'))!;
    const count = Number(/completions: (\d+)/.exec(job)![1]);
    const script = /- \|\n([\s\S]*?)\n {10}\w/.exec(job)![1]!.replaceAll('/data/', '');
    for (let index = 0; index < count; index++) bash(script, { JOB_COMPLETION_INDEX: `${index}` });
    bash(blocks(docs('jobs.md'), 'sh').at(-1)!.replaceAll('/data/', ''));
    await assertWhole(folder);
  });

  it('of GitHub, a job per part', async (t) => {
    const { folder, bash } = workplace(t);
    const [workflow] = blocks(docs('jobs.md'), 'yaml');
    const [convert, merge] = ['convert', 'merge'].map(
      (name) => new RegExp(`- run: (plmpress ${name} .*)`).exec(workflow!)![1]!,
    );
    const { stdout } = await runCli([
      'matrix',
      '--model',
      'checkpoint',
      '--to',
      'gguf:q4_k_m',
      '--parts',
      '3',
    ]);
    for (const { name, model, target, part } of JSON.parse(stdout).include) {
      bash(`${convert}\nmkdir -p parts\nmv part parts/${name}`, {
        MODEL: model,
        TARGET: target,
        PART: part,
      });
    }
    assert.ok(existsSync(path.join(folder, 'parts/checkpoint-gguf-q4_k_m.part-3-of-3')));
    bash(merge!, { MODEL: 'checkpoint' });
    await assertWhole(folder);
  });
});

describe('convert --part', () => {
  it('tells what it has written, or would', async (t) => {
    const folder = temporaryFolder(t);
    const flags = ['convert', TINY, '--to', 'gguf:q8_0', '-o', path.join(folder, 'part'), '--part', '2/3'];
    const planned = await runCli([...flags, '--dry-run', '--json']);
    assert.deepEqual(JSON.parse(planned.stdout).part, { number: 2, of: 3 });
    assert.equal(existsSync(path.join(folder, 'part')), false);
    const { stdout } = await runCli(flags);
    assert.match(stdout, /^part 2 of 3: \d+ tensors, \d\.\d+ MB in plm-tiny-part-2-of-3\.bin, [\d.]+ s\n$/);
    const json = JSON.parse((await runCli([...flags, '--force', '--json'])).stdout);
    assert.deepEqual(json.rows, JSON.parse(planned.stdout).rows);
    assert.equal(json.job.targets[0].target, 'gguf:q8_0');
  });

  it('is told as JSON by merge, as convert tells it', async (t) => {
    const folder = temporaryFolder(t);
    const part = path.join(folder, 'part');
    await runCli(['convert', TINY, '--to', 'gguf:q8_0', '-o', part, '--part', '1/1', '--quiet']);
    const merged = await runCli(['merge', part, '--from', TINY, '-o', path.join(folder, 'out'), '--json']);
    const { seconds, peakRss, ...manifest } = JSON.parse(merged.stdout);
    assert.ok(seconds > 0 && peakRss > 0);
    assert.deepEqual(manifest, JSON.parse(readFileSync(path.join(folder, 'out/plmpress.json'), 'utf8')));
  });
});

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parse } from 'yaml';
import { codeBlocks } from '../support/drivers/command-lines.ts';
import { BINARY } from '../support/drivers/run-cli.ts';
import { HubServer } from '../support/fakes/hub-server.ts';
import { fixture, repoRoot } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = path.join(repoRoot, 'docs', 'tutorials');
const PAGES = readdirSync(FOLDER);

/** Blocks of a page for a shell, each with what it prints, if the page shows that. */
function stepsOf(markdown: string): { readonly script: string; readonly shown: readonly string[] }[] {
  const steps: { script: string; shown: string[] }[] = [];
  for (const [, language, text] of markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)) {
    if (language === 'sh') steps.push({ script: text!, shown: [] });
    if (language === 'text') steps.at(-1)!.shown.push(...text!.trim().split('\n'));
  }
  return steps;
}

const MARK = '=== next step';

/** What each step prints, in one bash after the other steps. */
async function runSteps(t: TestContext, scripts: readonly string[]): Promise<string[]> {
  const folder = temporaryFolder(t);
  cpSync(fixture('plm-tiny'), path.join(folder, 'plm-tiny'), { recursive: true });
  rmSync(path.join(folder, 'plm-tiny', 'golden.json'));
  writeFileSync(
    path.join(folder, 'sample.txt'),
    readFileSync(fixture('text', 'eval.txt'), 'utf8').slice(0, 2000),
  );
  const programs = path.join(folder, 'programs');
  mkdirSync(programs);
  const shim = path.join(programs, 'plmpress');
  writeFileSync(shim, `#!/bin/sh\nexec '${process.execPath}' '${BINARY}' "$@"\n`);
  chmodSync(shim, 0o755);
  const server = await HubServer.start(t);
  const script = ['set -eo pipefail', scripts.join(`\necho '${MARK}'\n`)].join('\n');
  const child = spawn('bash', ['--norc', '-c', script], {
    cwd: folder,
    env: {
      PATH: `${programs}:${process.env.PATH}`,
      REPO: 'me/plm-tiny-gguf',
      CI: '1',
      ...server.env(path.join(folder, 'home')),
    },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  assert.equal(code, 0, stdout + stderr);
  return stdout.split(`${MARK}\n`);
}

/** Whether a line that a page shows, with `…` for what varies, is among those that were printed. */
function isPrinted(line: string, printed: string): boolean {
  const squeeze = (text: string) => text.trim().replace(/\s+/g, ' ');
  const pattern = squeeze(line)
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const whole = new RegExp(`^${pattern.join('.*')}$`);
  return printed.split('\n').some((other) => whole.test(squeeze(other)));
}

describe('a tutorial', () => {
  for (const page of PAGES) {
    it(`${page} can be followed, and shows what comes`, async (t) => {
      const steps = stepsOf(readFileSync(path.join(FOLDER, page), 'utf8'));
      const printed = await runSteps(
        t,
        steps.map(({ script }) => script),
      );
      assert.equal(printed.length, steps.length);
      for (const [index, { shown }] of steps.entries()) {
        for (const line of shown) {
          assert.ok(isPrinted(line, printed[index]!), `${line}\n--- is not in\n${printed[index]}`);
        }
      }
    });
  }

  it('gives the action inputs and takes outputs that it has', () => {
    const action = parse(readFileSync(path.join(repoRoot, 'action.yml'), 'utf8'));
    const workflows = PAGES.flatMap((page) =>
      codeBlocks(readFileSync(path.join(FOLDER, page), 'utf8'), ['yaml']),
    );
    assert.equal(workflows.length, 2);
    for (const text of workflows) {
      const jobs = Object.values(parse(text).jobs) as { steps: { uses?: string; with?: object }[] }[];
      const uses = jobs.flatMap(({ steps }) => steps).filter((step) => step.uses?.includes('/plmpress@'));
      assert.equal(uses.length, 1);
      for (const input of Object.keys(uses[0]!.with!)) assert.ok(Object.hasOwn(action.inputs, input), input);
      for (const [, output] of text.matchAll(/steps\.press\.outputs\.(\w+)/g))
        assert.ok(Object.hasOwn(action.outputs, output!), output);
    }
  });
});

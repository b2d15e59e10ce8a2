import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parse } from 'yaml';
import { checkpointFiles, REPOSITORY } from '../support/builders/hub-checkpoint.ts';
import { HubServer, TOKEN } from '../support/fakes/hub-server.ts';
import { fixture, repoRoot } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Step {
  readonly id?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly shell?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: string;
}

const ACTION = parse(readFileSync(path.join(repoRoot, 'action.yml'), 'utf8')) as {
  readonly inputs: Readonly<Record<string, { readonly default?: string; readonly required?: boolean }>>;
  readonly outputs: Readonly<Record<string, { readonly value: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
};

interface Ran {
  readonly code: number;
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
}

/** Runs the steps of the action in bash as a runner does, without those of other actions. */
async function runAction(
  t: TestContext,
  inputs: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  const temp = temporaryFolder(t);
  const summaryFile = path.join(temp, 'summary');
  writeFileSync(summaryFile, '');
  const given = (name: string) => inputs[name] ?? ACTION.inputs[name]?.default ?? '';
  let log = '';
  for (const [index, step] of ACTION.runs.steps.entries()) {
    if (step.run === undefined) continue;
    assert.equal(step.shell, 'bash');
    const outputFile = path.join(temp, `output-${index}`);
    writeFileSync(outputFile, '');
    const stepEnv = Object.entries(step.env ?? {}).map(([name, value]) => {
      const [, input] = /^\$\{\{ inputs\.([\w-]+) \}\}$/.exec(value)!;
      assert.ok(Object.hasOwn(ACTION.inputs, input!), `input ${input}`);
      return [name, given(input!)];
    });
    const ran = await bash(step.run, {
      PATH: process.env.PATH,
      HOME: temp,
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      RUNNER_TEMP: temp,
      GITHUB_ACTION_PATH: repoRoot,
      GITHUB_OUTPUT: outputFile,
      GITHUB_STEP_SUMMARY: summaryFile,
      ...env,
      ...Object.fromEntries(stepEnv),
    });
    log += ran.log;
    const outputs = parseOutputs(readFileSync(outputFile, 'utf8'));
    if (ran.code !== 0 || step.id === 'convert') {
      return { code: ran.code, log, outputs, summary: readFileSync(summaryFile, 'utf8') };
    }
  }
  throw new Error('the action has no step that converts');
}

function bash(script: string, env: NodeJS.ProcessEnv): Promise<{ code: number; log: string }> {
  // The flags with which runners start bash.
  const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], {
    env,
    cwd: repoRoot,
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      log += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, log }));
  });
}

/** `name=value`, and `name<<delimiter` with lines. */
function parseOutputs(text: string): Record<string, string> {
  const long = [...text.matchAll(/^(\w+)<<(\S+)\n([\s\S]*?)\n\2$/gm)].map(([, name, , value]) => [
    name,
    value,
  ]);
  const short = [...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
  return Object.fromEntries([...long, ...short]);
}

describe('the GitHub action', () => {
  it('names outputs that its step sets, and other actions by their commits', async () => {
    assert.equal(ACTION.runs.using, 'composite');
    for (const { uses } of ACTION.runs.steps) if (uses) assert.match(uses, /^actions\/[\w-]+@[0-9a-f]{40}$/);
    for (const [name, { value }] of Object.entries(ACTION.outputs)) {
      assert.equal(value, `\${{ steps.convert.outputs.${name} }}`);
    }
  });

  it('converts, verifies, and writes outputs and a summary', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const inputs = {
      model: fixture('plm-tiny'),
      targets: 'gguf:q4_k_m, onnx:q8',
      output,
      args: '--threads=1',
    };
    const { code, log, outputs, summary } = await runAction(t, inputs);
    assert.equal(code, 0, log);
    assert.deepEqual(Object.keys(outputs).sort(), Object.keys(ACTION.outputs).sort());
    const files = JSON.parse(outputs.files!) as string[];
    assert.ok(
      files.includes(path.join(output, 'plm-tiny-Q4_K_M.gguf')) && files.every((file) => existsSync(file)),
    );
    assert.equal(files.at(-1), path.join(output, 'plmpress.json'));
    assert.equal(outputs.manifest, files.at(-1));
    const bytes = files.reduce((sum, file) => sum + readFileSync(file).length, 0);
    assert.equal(Number(outputs.size), bytes);
    assert.ok(Number(outputs.kld) > 0 && Number(outputs.kld) < 0.01);
    assert.ok(Number(outputs.top1) > 0.9);
    assert.match(readFileSync(outputs.report!, 'utf8'), /^<!doctype html>/i);
    assert.match(summary, /\| gguf:q4_k_m \| 2,709,472 \| 0\.00\d+ \| 9\d\.\d\d % \| compared \|/);
    assert.match(summary, /\| onnx:q8 \| [\d,]+ \| 0\.00\d+ \| 9\d\.\d\d % \| passed \|/);
    assert.match(summary, /```mermaid\nxychart-beta/);
  });

  it('fails where an artifact is too far from its source, with an annotation and a summary', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const inputs = { model: fixture('plm-tiny'), targets: 'gguf:q2_k', output, 'max-kld': '0.001' };
    const { code, log, outputs, summary } = await runAction(t, inputs);
    assert.equal(code, 6, log);
    assert.match(
      log,
      /^::error title=plmpress::gguf:q2_k: mean KLD.*, got 0\.0\d+, expected at most 0\.001/m,
    );
    assert.match(summary, /\*\*failed\*\* gguf&#58;q2_k: mean KLD/);
    assert.match(summary, /\| gguf:q2_k \| [\d,]+ \| 0\.0\d+ \| \d\d\.\d\d % \| \*\*failed\*\* \|/);
    assert.ok(existsSync(outputs.report!));
  });

  it('fails with one line where it cannot convert', async (t) => {
    const output = path.join(temporaryFolder(t), 'out');
    const inputs = { model: fixture('plm-tiny'), targets: 'gguf:q4_k_m\nonnx:q3', output };
    const { code, log, outputs, summary } = await runAction(t, inputs);
    assert.equal(code, 2);
    assert.match(log, /^::error title=plmpress::unknown ONNX scheme/m);
    assert.match(summary, /\*\*failed\*\* unknown ONNX scheme/);
    assert.deepEqual([outputs.kld, outputs.files, outputs.size, outputs.manifest], ['', '[]', '0', '']);
    assert.ok(!existsSync(output));
  });

  it('takes a model of the Hub, and keys the cache by its commit', async (t) => {
    const server = await HubServer.start(t);
    const commit = server.commit(REPOSITORY, checkpointFiles(), true);
    const home = temporaryFolder(t);
    const output = path.join(home, 'out');
    const { HF_TOKEN: _, ...env } = server.env(home);
    const inputs = { model: REPOSITORY, targets: 'gguf:q8_0', output, token: TOKEN };
    const { code, log } = await runAction(t, inputs, env);
    assert.equal(code, 0, log);
    assert.match(log, new RegExp(`^::add-mask::${TOKEN}$`, 'm'));
    const manifest = JSON.parse(readFileSync(path.join(output, 'plmpress.json'), 'utf8'));
    assert.deepEqual(manifest.artifacts[0].source.origin, { repository: REPOSITORY, revision: commit });
    assert.equal((await runAction(t, { ...inputs, token: '' }, env)).code, 5);
  });
});

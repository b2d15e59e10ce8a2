import { randomBytes } from 'node:crypto';
import { appendFile, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { escapeControls } from '../core/text/format.ts';
import { escapeMarkdown } from '../core/text/markdown-text.ts';
import { MANIFEST_NAME } from '../pipeline/record/manifest.ts';
import { outcomeOf } from '../pipeline/verify.ts';
import { type PressOutcome, press } from '../press/press.ts';
import { failuresOf } from './commands/convert/convert.ts';
import { verificationFailure } from './commands/convert/verify.ts';
import { main } from './main.ts';
import type { Io } from './session.ts';

/**
 * The step of action.yml: converts and verifies by the variables `PLMPRESS_…` that it sets from its inputs,
 * hands the outputs to the workflow, appends tables and plots to the summary of the job, and returns the exit
 * code.
 */
export async function githubAction(io: Io): Promise<number> {
  const { env } = io;
  const folder = env.RUNNER_TEMP || tmpdir();
  const stem = path.join(folder, `plmpress-${randomBytes(4).toString('hex')}`);
  const [page, markdown] = [`${stem}.html`, `${stem}.md`];
  let outcome: PressOutcome | undefined;
  const failures: string[] = [];
  const code = await main([...argumentsOf(env), '--report', page, '--report', markdown], io, {
    runConvert: async (session, request) => {
      outcome = await press(request, session.access);
      const found = failuresOf(outcome);
      failures.push(...found);
      if (found.length > 0) await session.fail(verificationFailure(found));
    },
    onFailure: ({ message }) => failures.push(message),
  });
  const verified = outcome?.verifications ?? [];
  const files = await writtenFiles(outputFolder(env), outcome);
  const figures = verified.map(({ verification }) => verification);
  await setOutputs(env, {
    path: outputFolder(env),
    files: JSON.stringify(files.map((file) => file.path)),
    size: String(files.reduce((sum, { bytes }) => sum + bytes, 0)),
    manifest: files.at(-1)?.path ?? '',
    kld: figures.length === 0 ? '' : String(Math.max(...figures.map(({ kld }) => kld.mean))),
    top1: figures.length === 0 ? '' : String(Math.min(...figures.map(({ top1 }) => top1))),
    report: figures.length === 0 ? '' : page,
  });
  for (const failure of failures) io.stdout.write(`::error title=plmpress::${escapeCommand(failure)}\n`);
  const report = await readFile(markdown, 'utf8').catch(() => '');
  await append(env.GITHUB_STEP_SUMMARY, `${[...summary(outcome, failures), '', report].join('\n')}\n`);
  return code;
}

/**
 * The files in the folder after the conversion, plmpress.json last; none if it failed or was a dry run.
 */
async function writtenFiles(output: string, { manifest }: Partial<PressOutcome> = {}) {
  if (manifest === undefined) return [];
  const record = path.join(output, MANIFEST_NAME);
  return [
    ...manifest.files.map(({ path: name, bytes }) => ({ path: path.join(output, name), bytes })),
    { path: record, bytes: (await stat(record)).size },
  ];
}

function outputFolder(env: NodeJS.ProcessEnv): string {
  return env.PLMPRESS_OUTPUT || 'plmpress-out';
}

/** The command line of `convert` for the inputs of the action. */
function argumentsOf(env: NodeJS.ProcessEnv): string[] {
  const lines = (text = '') =>
    text
      .split(/[\n,]/)
      .map((line) => line.trim())
      .filter((line) => line !== '');
  const optional = (flag: string, value: string | undefined) => (value ? [flag, value] : []);
  return [
    ...['convert', env.PLMPRESS_MODEL ?? '', '--output', outputFolder(env), '--verify'],
    ...lines(env.PLMPRESS_TARGETS).flatMap((target) => ['--to', target]),
    ...optional('--target-size', env.PLMPRESS_SIZE),
    ...optional('--max-kld', env.PLMPRESS_MAX_KLD),
    ...lines(env.PLMPRESS_TEXT).flatMap((file) => ['--text', file]),
    // Flags may hold commas.
    ...(env.PLMPRESS_ARGS ?? '')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== ''),
  ];
}

/** Files, and which of them artifacts have. */
interface Listed {
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly artifacts: readonly { readonly target: string; readonly files: readonly string[] }[];
}

const NOTHING: Listed = { files: [], artifacts: [] };

/** The files that a dry run would have written, as a manifest lists them. */
function planned({ files, targets }: PressOutcome): Listed {
  const artifacts = targets.map(({ plan }) => ({
    target: plan.target,
    files: plan.files.map(({ name }) => name),
  }));
  return { files, artifacts };
}

/** A line per artifact. */
function summary(outcome: PressOutcome | undefined, failures: readonly string[]): string[] {
  const { files, artifacts }: Listed =
    outcome === undefined ? NOTHING : (outcome.manifest ?? planned(outcome));
  const bytesOf = (paths: readonly string[]) =>
    files.reduce((sum, file) => sum + (paths.includes(file.path) ? file.bytes : 0), 0);
  const rows = artifacts.map(({ target, files: own }) => {
    const found = outcome?.verifications?.find((verified) => verified.target === target)?.verification;
    const figures = found ? [found.kld.mean.toPrecision(3), `${(100 * found.top1).toFixed(2)} %`] : ['', ''];
    const result = found && outcomeOf(found);
    const verdict = result === 'failed' ? '**failed**' : result;
    return [escapeMarkdown(target), bytesOf(own).toLocaleString('en-US'), ...figures, verdict ?? ''];
  });
  return [
    ...failures.map((failure) => `**failed** ${escapeMarkdown(failure)}`),
    ...(rows.length === 0
      ? []
      : [
          '',
          '| artifact | bytes | mean KLD | top-1 | |',
          '|---|---:|---:|---:|---|',
          ...rows.map((row) => `| ${row.join(' | ')} |`),
        ]),
  ];
}

/** A value of several lines cannot end the output early, because the delimiter is random. */
async function setOutputs(env: NodeJS.ProcessEnv, outputs: Readonly<Record<string, string>>): Promise<void> {
  const delimiter = `plmpress-${randomBytes(16).toString('hex')}`;
  const text = Object.entries(outputs).map(
    ([name, value]) => `${name}<<${delimiter}\n${value}\n${delimiter}\n`,
  );
  await append(env.GITHUB_OUTPUT, text.join(''));
}

async function append(file: string | undefined, text: string): Promise<void> {
  if (file) await appendFile(file, text);
}

/** Text escaped for workflow commands. Line breaks and control characters become visible. */
function escapeCommand(text: string): string {
  return escapeControls(text).replace(/%/g, '%25');
}

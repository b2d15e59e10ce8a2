import path from 'node:path';
import { Command, Option } from 'commander';
import { PressError } from '../../../core/errors.ts';
import type { Model } from '../../../core/model.ts';
import { formatCount, formatCounted, visible } from '../../../core/text/format.ts';
import { type ArtifactPlace, artifactsAt } from '../../../pipeline/artifacts/artifact-places.ts';
import { localPlace, withSource } from '../../../pipeline/sources/open.ts';
import { withStatistics } from '../../../pipeline/sources/open-statistics.ts';
import {
  DEFAULT_VERIFY_TOKENS,
  outcomeOf,
  type Verification,
  withoutPositions,
} from '../../../pipeline/verify.ts';
import { readNamedTexts } from '../../../press/named-text.ts';
import { openReports, type ReportInputs } from '../../../press/report-files.ts';
import { reportTitle } from '../../../press/report-section.ts';
import { collect } from '../../arguments.ts';
import { describeFailure } from '../../failure.ts';
import { helpText } from '../../help-text.ts';
import { ScopedOption } from '../../scoped-option.ts';
import type { OpenSession, Session } from '../../session.ts';
import type { Theme } from '../../ui/terminal/theme.ts';
import {
  OTHER_CHECKS,
  outcomeText,
  verificationStrips,
  verificationTable,
  worstTensorTable,
} from '../../ui/verification.ts';
import { mergedAdapterOption, tokensOption, usedStatisticsOption } from '../flags/input-flags.ts';
import { reportOption } from '../flags/report-flags.ts';
import { attentionOption, threadsOption } from '../flags/runtime-flags.ts';
import { maxKldOption, type VerifyFlags } from '../flags/verify-flags.ts';
import { type JudgedArtifact, judgeArtifacts } from './judge-artifacts.ts';

const HELP = `
Files are first checked against the hashes in plmpress.json beside the artifact; those of a WebGPU bundle also against its
manifest. Then every tensor is compared with the source, and both models run over the text: the source, GGUF files and
WebGPU bundles in the reference runtime, ONNX graphs node by node in an interpreter or in ONNX Runtime. Hyperparameters,
tokenizer, stop tokens and chat template must equal those of the source.

Exit code 6 means that a check failed, such as an error larger than the schemes of the artifact explain. If the KLD has no
limit, the result is "compared" instead of "passed".

In a folder, every artifact that plmpress.json names is verified, or, without plmpress.json, every artifact found. For
several, --json prints {"passed", "artifacts": [...], "leftOut": [...]}.

A report shows bytes and errors by tensor, layer and position, as a page without scripts or as Markdown for the summary of
a CI job.

Examples:
  plmpress verify out/ --against checkpoint/ --tokens 500
  plmpress verify out/ --against checkpoint/ --text sample.txt --max-kld 0.02 \\
    --report report.html`;

export function verifyCommand(open: OpenSession): Command {
  return new Command('verify')
    .description('check an artifact against its source')
    .argument('<artifact>', '.gguf file, ONNX graph, WebGPU bundle, or a folder with several of these')
    .requiredOption('--against <source>', 'source that the artifact was converted from')
    .addOption(usedStatisticsOption())
    .addOption(mergedAdapterOption())
    .optionsGroup('Comparison:')
    .option(
      '--text <file>',
      'text that both models read; repeatable; default: a short built-in text',
      collect,
    )
    .addOption(tokensOption('to compare').default(DEFAULT_VERIFY_TOKENS))
    .addOption(maxKldOption())
    .optionsGroup('Run:')
    .addOption(
      new ScopedOption(
        '--engine <engine>',
        'what runs the artifact; onnxruntime needs the npm package onnxruntime-node',
      )
        .choices(['builtin', 'onnxruntime'])
        .default('builtin')
        .notWith('--device webgpu', 'there a WebGPU bundle runs with its own kernels'),
    )
    .addOption(
      new Option(
        '--device <device>',
        'where a WebGPU bundle runs; webgpu: on a GPU, with its own kernels, needs the npm package webgpu',
      )
        .choices(['cpu', 'webgpu'])
        .default('cpu'),
    )
    .addOption(attentionOption())
    .addOption(threadsOption())
    .optionsGroup('Report:')
    .addOption(reportOption())
    .addOption(new ScopedOption('--force', 'replace existing reports').needs('--report'))
    .addHelpText('after', helpText(HELP))
    .action(async (artifactSpec: string, flags: VerifyFlags) => {
      const session = open();
      const { against, adapter, text } = flags;
      const texts = text && (await readNamedTexts(text));
      const places = await artifactsAt(await localPlace(artifactSpec, session.access));
      const judging = (source: Model, sourcePlace: string | undefined) =>
        withStatistics(flags.statistics, async (statistics) => {
          const read: ReportInputs = {
            models: [[source, sourcePlace]],
            files: [...(text ?? []), flags.statistics, ...places.artifacts.flatMap(filesOf)],
          };
          const writeReports = await openReports(read, flags.report, flags.force);
          const judged = await judgeArtifacts(session, places.artifacts, {
            source,
            statistics,
            flags,
            reports: flags.report !== undefined,
            ...(texts && { texts }),
          });
          if (flags.report !== undefined) {
            await writeReports(
              reportTitle(source),
              judged.map(({ section }) => section!),
            );
          }
          return judged;
        });
      const judged = await withSource(against, judging, {
        ...session.access,
        ...(adapter && { adapters: adapter }),
      });
      for (const name of unhashed(places.artifacts, judged)) {
        session.note(
          `${visible(name)} is in no plmpress.json: it was compared, but there was no hash to check`,
        );
      }
      for (const name of places.leftOut) {
        session.note(`${visible(name)} was left out: plmpress.json does not name it; verify it by its path`);
      }
      if (judged.length === 1) await tell(session, judged[0]!.verification!);
      else await tellAll(session, judged, places.leftOut);
    });
}

/** Paths of the files of an artifact, as far as they are known before it is opened. */
function filesOf({ place, recorded }: ArtifactPlace): string[] {
  if (recorded === undefined) return [place];
  return recorded.files.map((file) => path.join(recorded.folder, ...file.path.split('/')));
}

/** Names of artifacts without a recorded hash. Bundles have a manifest of their own. */
function unhashed(artifacts: readonly ArtifactPlace[], judged: readonly JudgedArtifact[]): string[] {
  return artifacts
    .filter(({ recorded }, index) => recorded === undefined && judged[index]!.format !== 'webgpu')
    .map(({ name }) => name);
}

async function tell(session: Session, verification: Verification): Promise<void> {
  const { passed, failures } = verification;
  if (session.json) await session.writeJson(withoutPositions(verification));
  else if (!session.quiet) {
    await session.writeLines([
      ...figureLines(verification, session.theme),
      ...verdictLines(verification, session.theme),
    ]);
  }
  if (!passed) await session.fail(verificationFailure(failures));
}

/** The result of several: each artifact by its name. */
async function tellAll(
  session: Session,
  judged: readonly JudgedArtifact[],
  leftOut: readonly string[],
): Promise<void> {
  const passed = judged.every((artifact) => artifact.passed);
  if (session.json) await session.writeJson({ passed, artifacts: judged.map(toJson), leftOut });
  else if (!session.quiet) {
    const { theme } = session;
    for (const { name, target, verification, failures } of judged) {
      await session.writeLines([
        theme.bold(visible(target === undefined ? name : `${name} (${target})`)),
        ...(verification ? figureLines(verification, theme) : []),
        ...(verification ? verdictLines(verification, theme) : failureLines(failures, theme)),
        '',
      ]);
    }
    await session.writeLines(
      judged.map(
        ({ name, verification }) =>
          `${outcomeText(verification ? outcomeOf(verification) : 'failed', theme)} ${visible(name)}`,
      ),
    );
  }
  const failures = judged.flatMap(({ name, failures }) =>
    failures.map((failure) => (failure.startsWith(name) ? failure : `${name}: ${failure}`)),
  );
  if (passed) return;
  const count = judged.filter((artifact) => !artifact.passed).length;
  const what = `${count} of ${judged.length} artifacts failed: ${failures[0]}`;
  await session.fail(new PressError('verification', { what }));
}

function toJson({ name, target, verification, refusal, failures }: JudgedArtifact) {
  const named = { artifact: name, ...(target !== undefined && { target }) };
  if (verification !== undefined) return { ...named, ...withoutPositions(verification) };
  const { class: kind, exitCode, message } = describeFailure(refusal);
  return { ...named, passed: false, failures, error: { class: kind, exitCode, message } };
}

function figureLines(verification: Verification, theme: Theme): string[] {
  return [
    ...verificationTable(verification, theme),
    '',
    ...worstTensorTable(verification.tensors, theme),
    '',
    ...verificationStrips(verification, theme),
    '',
  ];
}

function verdictLines(verification: Verification, theme: Theme): string[] {
  const outcome = outcomeOf(verification);
  if (outcome === 'failed') return failureLines(verification.failures, theme);
  const line = `${outcomeText(outcome, theme)} over ${formatCounted(verification.tokens, 'token')}`;
  return [outcome === 'passed' ? line : `${line}: the KLD has no limit; ${OTHER_CHECKS}`];
}

function failureLines(failures: readonly string[], theme: Theme): string[] {
  return failures.map((failure) => `${outcomeText('failed', theme)} ${failure}`);
}

/** The first failure of several. */
export function verificationFailure(failures: readonly string[]): PressError {
  const more = failures.length > 1 ? ` (and ${formatCount(failures.length - 1)} more)` : '';
  return new PressError('verification', { what: `${failures[0]}${more}` });
}

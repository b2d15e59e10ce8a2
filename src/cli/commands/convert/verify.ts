import path from 'node:path';
import { Command, Option } from 'commander';
import { PressError } from '../../../core/errors.ts';
import type { Model } from '../../../core/model.ts';
import { formatCount, formatCounted, visible } from '../../../core/text/format.ts';
import { type ArtifactPlace, artifactsAt } from '../../../pipeline/artifacts/artifact-places.ts';
import { formatOf } from '../../../pipeline/formats/index.ts';
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
import { collect, parseInteger, parseNumber } from '../../arguments.ts';
import { describeFailure } from '../../failure.ts';
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
import { reportOption } from '../flags/report-flags.ts';
import { attentionOption, threadsOption } from '../flags/runtime-flags.ts';
import type { VerifyFlags } from '../flags/verify-flags.ts';
import { type JudgedArtifact, judgeArtifacts } from './judge-artifacts.ts';

const HELP = `
If plmpress.json lies beside the artifact, the files must have the hashes that it records; those of a bundle must
also have the hashes of its manifest. Then every tensor is compared with its source, and both models run over the
text: the source, a GGUF and the weights of a WebGPU bundle in the reference runtime, an ONNX graph node by node in
an interpreter, or in ONNX Runtime. An error larger than the schemes of the artifact explain sets the exit code to 6.
Hyperparameters, tokenizer, stop tokens and chat template must be those of the source. Where the KLD has no limit, it
is a figure: the result is "compared", not "passed".
In a folder, every artifact that plmpress.json names is verified; without plmpress.json, every artifact that is
found. If one of several fails, the exit code is 6. For several, --json prints {"passed", "artifacts": [...],
"leftOut": [...]} with the figures of each.
A report shows where bytes and errors are, by tensor, layer and position, as a page without scripts or as Markdown for the
summary of a CI job.

Examples:
  plmpress verify out/ --against checkpoint/ --tokens 500
  plmpress verify out/ --against checkpoint/ --text sample.txt --max-kld 0.02 --report report.html`;

export function verifyCommand(open: OpenSession): Command {
  return new Command('verify')
    .description('check an artifact against its source')
    .argument('<artifact>', '.gguf file, ONNX graph, folder of a WebGPU bundle, or a folder of these')
    .requiredOption(
      '--against <source>',
      'checkpoint folder, .gguf file or artifact folder that it was made from',
    )
    .option('--statistics <file>', 'what passes went by, such as prune-ffn, when the artifact was made')
    .option('--adapter <dir>', 'LoRA that was merged into the source; repeatable', collect)
    .optionsGroup('Compare:')
    .option('--text <file>', 'text that both read; repeatable; default: a short built-in text', collect)
    .option('--tokens <n>', 'most tokens of it', parseInteger(2), DEFAULT_VERIFY_TOKENS)
    .option(
      '--max-kld <x>',
      'most mean KLD in nats per token; default: by the coarsest scheme, none below 5 bits or where neurons were pruned',
      parseNumber(0),
    )
    .optionsGroup('Run:')
    .addOption(
      new ScopedOption(
        '--engine <engine>',
        'what computes the artifact; onnxruntime where it is installed beside plmpress',
      )
        .choices(['builtin', 'onnxruntime'])
        .default('builtin')
        .notWith('--device webgpu', 'there a bundle runs with its own kernels'),
    )
    .addOption(
      new Option(
        '--device <device>',
        'where a bundle runs; webgpu: with its own kernels, where the package webgpu is installed beside plmpress',
      )
        .choices(['cpu', 'webgpu'])
        .default('cpu'),
    )
    .addOption(attentionOption())
    .addOption(threadsOption())
    .optionsGroup('Report:')
    .addOption(reportOption())
    .addOption(new ScopedOption('--force', 'replace reports that are there').needs('--report'))
    .addHelpText('after', HELP)
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
        session.note(`no plmpress.json names ${visible(name)}: it was compared, but has no hash to check`);
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

/** Names of artifacts whose files have no hash to check. */
function unhashed(artifacts: readonly ArtifactPlace[], judged: readonly JudgedArtifact[]): string[] {
  return artifacts
    .filter(({ recorded }, index) => recorded === undefined && !holdsHashes(judged[index]!.format))
    .map(({ name }) => name);
}

function holdsHashes(format: Model['format'] | undefined): boolean {
  return format !== undefined && formatOf({ format }).holdsHashes;
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

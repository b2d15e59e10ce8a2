import { Command, Option } from 'commander';
import { PressError } from '../../../core/errors.ts';
import { formatCount, formatCounted, visible } from '../../../core/text/format.ts';
import {
  DEFAULT_VERIFY_TOKENS,
  outcomeOf,
  type Verification,
  withoutPositions,
} from '../../../pipeline/verify.ts';
import {
  type VerifiedArtifact,
  type VerifyOutcome,
  verifyArtifacts,
} from '../../../press/verify-artifacts.ts';
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
    .action(async (artifact: string, flags: VerifyFlags) => {
      const session = open();
      const { against, statistics, adapter, text, tokens, maxKld, attention, threads, report, force } = flags;
      const outcome = await verifyArtifacts(
        {
          artifact,
          against,
          statistics,
          maxKld,
          attention,
          threads,
          force,
          adapters: adapter,
          texts: text,
          maxTokens: tokens,
          engine: flags.device === 'webgpu' ? 'webgpu' : flags.engine,
          reports: report,
        },
        session.access,
      );
      const [first, ...others] = outcome.artifacts;
      if (others.length === 0) await tell(session, first!.verification!);
      else await tellAll(session, outcome);
    });
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
async function tellAll(session: Session, { artifacts, leftOut }: VerifyOutcome): Promise<void> {
  const passed = artifacts.every((artifact) => artifact.passed);
  if (session.json) await session.writeJson({ passed, artifacts: artifacts.map(toJson), leftOut });
  else if (!session.quiet) {
    const { theme } = session;
    for (const { name, target, verification, failures } of artifacts) {
      await session.writeLines([
        theme.bold(visible(target === undefined ? name : `${name} (${target})`)),
        ...(verification ? figureLines(verification, theme) : []),
        ...(verification ? verdictLines(verification, theme) : failureLines(failures, theme)),
        '',
      ]);
    }
    await session.writeLines(
      artifacts.map(
        ({ name, verification }) =>
          `${outcomeText(verification ? outcomeOf(verification) : 'failed', theme)} ${visible(name)}`,
      ),
    );
  }
  const failures = artifacts.flatMap(({ name, failures }) =>
    failures.map((failure) => (failure.startsWith(name) ? failure : `${name}: ${failure}`)),
  );
  if (passed) return;
  const count = artifacts.filter((artifact) => !artifact.passed).length;
  const what = `${count} of ${artifacts.length} artifacts failed: ${failures[0]}`;
  await session.fail(new PressError('verification', { what }));
}

function toJson({ name, target, verification, refusal, failures }: VerifiedArtifact) {
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

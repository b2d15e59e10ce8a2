import { Command, Option } from 'commander';
import { KV_B_RULES } from '../../../../formats/gguf/scheme-choice.ts';
import { QUALITIES } from '../../../passes/rounding/calibrated-rounding.ts';
import { formatsWith } from '../../../pipeline/formats/index.ts';
import { outcomeOf, withoutPositions } from '../../../pipeline/verify.ts';
import { type PressOutcome, press } from '../../../press/press.ts';
import type { PressRequest } from '../../../press/request.ts';
import {
  collect,
  collectPass,
  collectPassName,
  collectTarget,
  collectTensorType,
  parseScheme,
  parseShare,
  parseSize,
} from '../../arguments.ts';
import { helpText } from '../../help-text.ts';
import { peakRss } from '../../peak-memory.ts';
import { ScopedOption } from '../../scoped-option.ts';
import type { OpenSession, Session } from '../../session.ts';
import { conversionLines, describePlan } from '../../ui/conversion.ts';
import { costLines } from '../../ui/cost.ts';
import { runHints } from '../../ui/run-hints.ts';
import type { Theme } from '../../ui/terminal/theme.ts';
import { outcomeText, summarizeVerification } from '../../ui/verification.ts';
import { type ConvertFlags, pressRequest } from '../flags/convert-flags.ts';
import { cacheOption, ggufArchOption } from '../flags/format-flags.ts';
import {
  calibrationTokensOption,
  ffnWidthOption,
  imatrixOption,
  sourceArgument,
  statisticsOption,
} from '../flags/input-flags.ts';
import { reportOption } from '../flags/report-flags.ts';
import { threadsOption } from '../flags/runtime-flags.ts';
import { maxKldOption } from '../flags/verify-flags.ts';
import { tellPart } from './part.ts';
import { verificationFailure } from './verify.ts';

const HELP = `
A size is 500M, 3.5GB (decimal) or 512MiB (binary). \`plmpress schemes\` lists the targets and schemes.

The scheme of a matrix comes from the first of these that applies: --token-embedding-type, --tensor-type, --schemes or
--target-size, --pure, the rules of the target. A --tensor-type pattern may match anywhere in the GGUF name of a tensor
(blk.0.attn_q.weight); the first pattern that matches decides. WebGPU bundles take the schemes q4, q8 and f16, and their
patterns may also match checkpoint names (self_attn.q_proj). Vectors stay F32.

--gguf-arch deepseek2 writes files that run with flash attention and a KV cache one ninth the size, but store the first
matrix of every FFN twice. docs/gguf.md says when that pays.

An option that would change nothing is an error. If it changes nothing for some of the targets, a note says so.

All targets are written, or none. Files get their names once they are complete and on disk, so a run that fails or is
interrupted leaves the folder as it was. With --resume, finished tensors are kept in .plmpress-resume in the output
folder. The same command continues with them after it has checked their hashes and those of the source. With --verify,
files are complete before they are compared, and stay if the comparison is interrupted. The same source and options give
the same bytes on every machine.

ONNX graphs of several runs can share a folder if source, passes and --cache are the same. A later run needs --force,
because it replaces config.json, which then lists all graphs.

Examples:
  plmpress convert checkpoint/ --to gguf:q8_0 -o out/ --verify
  plmpress convert checkpoint/ --to onnx:q4 --to onnx:q8 -o web/
  plmpress convert checkpoint/ --to gguf:q4_k_m --quality best -o out/
  plmpress convert PLM-Team/PLM-1.8B-Instruct --to gguf:q4_k_m --stream \\
    --resume -o out/
  plmpress convert checkpoint/ --to webgpu:q4 -o page/ --dry-run`;

/** Runs the request of a `convert` command line. */
export type RunConvert = (session: Session, request: PressRequest) => Promise<void>;

export function convertCommand(open: OpenSession, run: RunConvert = convertAndTell): Command {
  return new Command('convert')
    .description('convert a model to GGUF, ONNX or WebGPU, and record how in plmpress.json')
    .addArgument(sourceArgument())
    .requiredOption(
      '--to <target>',
      'target to write, such as gguf:q8_0, onnx:q4 or webgpu:q4; repeatable',
      collectTarget,
    )
    .requiredOption('-o, --output <dir>', 'output folder')
    .optionsGroup('Artifact:')
    .addOption(ggufArchOption())
    .addOption(cacheOption())
    .addOption(
      new Option(
        '--quality <quality>',
        'rounding; best: with error feedback, calibrated by --text or --statistics; for GGUF, onnx:q4, onnx:q4f16, webgpu:q4 and webgpu:q8',
      )
        .choices(QUALITIES)
        .default('fast'),
    )
    .option('--shard-size <size>', 'largest file; tensors are not split; at most 32MiB for WebGPU', parseSize)
    .addOption(
      new ScopedOption(
        '--strict',
        'fail rather than store a tensor in another scheme than the target says',
      ).forTargets(formatsWith('strict')),
    )
    .addOption(imatrixOption())
    .addOption(statisticsOption())
    .addOption(calibrationTokensOption().notWith('--statistics', 'its text has been read'))
    .addOption(
      new ScopedOption('--tensor-type <regex=scheme>', 'scheme of the matrices whose names match; repeatable')
        .argParser(collectTensorType)
        .forTargets(formatsWith('tensorTypes')),
    )
    .addOption(
      new ScopedOption('--token-embedding-type <scheme>', 'scheme of the token embedding')
        .argParser(parseScheme)
        .forTargets(formatsWith('tokenEmbedding')),
    )
    .addOption(
      new ScopedOption('--pure', 'store every matrix in the base scheme of the target')
        .forTargets(formatsWith('pure'))
        .notWith('--target-size', 'it chooses the scheme of every matrix'),
    )
    .addOption(
      new ScopedOption(
        '--target-size <size>',
        'largest size of the GGUF; its schemes are chosen to diverge least on --text',
      )
        .argParser(parseSize)
        .forTargets(formatsWith('allocation')),
    )
    .addOption(ffnWidthOption().needs('--target-size'))
    .addOption(
      new ScopedOption('--save-schemes <file>', 'file to write the schemes chosen for --target-size to')
        .needs('--target-size')
        .idleWith('--dry-run'),
    )
    .addOption(
      new ScopedOption('--schemes <file>', 'file with schemes that --save-schemes wrote').forTargets(
        formatsWith('allocation'),
      ),
    )
    .addOption(
      new ScopedOption(
        '--kv-b-rule <date>',
        'scheme of attn_kv_b: as llama.cpp chooses it today, or as in PLM-Team’s own files',
      )
        .choices(KV_B_RULES)
        .default('current')
        .forTargets(formatsWith('kvBRule'))
        .notWith('--gguf-arch deepseek2', 'its files have no attn_kv_b')
        .notWith('--pure', 'it stores attn_kv_b in the base scheme')
        .notWith('--target-size', 'it chooses the scheme of attn_kv_b'),
    )
    .option(
      '--pass <pass[:key=value,…]>',
      'pass to run before conversion (see `plmpress passes`); repeatable',
      collectPass,
    )
    .addOption(
      new Option('--no-pass <pass>', 'pass of the target to leave out; repeatable').argParser(
        collectPassName,
      ),
    )
    .option(
      '--adapter <dir>',
      'LoRA adapter (PEFT folder or Hub id) to merge into the source; repeatable',
      collect,
    )
    .option(
      '--allow-requantize',
      'accept a quantized source, whose rounding errors add to those of the target',
    )
    .optionsGroup('Run:')
    .option('--stream', 'read a source on the Hub during conversion, without a local copy')
    .addOption(
      new ScopedOption('--part <i/n>', 'convert part i of n only, for `plmpress merge`')
        .argParser(parseShare)
        .notWith('--stream', 'no single part can check the hashes of the whole source')
        .notWith('--verify', 'a single part cannot run; use `plmpress verify` after `plmpress merge`')
        .notWith('--resume', 'run the part again instead'),
    )
    .option('--dry-run', 'plan with exact sizes and write nothing')
    .option('--force', 'replace existing files, and delete leftover shards of the replaced artifact')
    .addOption(
      new ScopedOption('--resume', 'keep finished tensors on interruption, and continue from them').idleWith(
        '--dry-run',
      ),
    )
    .addOption(threadsOption())
    .option('--max-memory <size>', 'memory limit; default: the memory of the machine or container', parseSize)
    .optionsGroup('Verification:')
    .addOption(
      new ScopedOption(
        '--verify',
        'compare the artifacts with the source; exit code 6 if one fails',
      ).idleWith('--dry-run'),
    )
    .option('--no-verify', 'only read back the written bytes (default)')
    .addOption(maxKldOption().needs('--verify'))
    .addOption(
      new ScopedOption(
        '--text <file>',
        'text that --quality best calibrates with; if --statistics is given or the quality is fast, text for --verify and --target-size; repeatable; default: a built-in text',
      )
        .argParser(collect)
        .needs('--quality best', '--verify', '--target-size'),
    )
    .addOption(reportOption().needs('--verify'))
    .addHelpText('after', helpText(HELP))
    .action((source: string, flags: ConvertFlags) => run(open(), pressRequest(source, flags)));
}

async function convertAndTell(session: Session, request: PressRequest): Promise<void> {
  const outcome = await press(request, session.access);
  if (outcome.part !== undefined) {
    await tellPart(session, request.share!, outcome.part, outcome.seconds);
    return;
  }
  if (session.json) await session.writeJson(toJson(outcome));
  else if (!session.quiet) await session.writeLines(outcomeLines(outcome, session.theme));
  for (const hint of hints(outcome, request)) session.note(hint);
  const failures = failuresOf(outcome);
  if (failures.length > 0) await session.fail(verificationFailure(failures));
}

/** Of targets that did not pass. */
export function failuresOf({ verifications = [] }: PressOutcome): string[] {
  return verifications.flatMap(({ target, verification }) =>
    verification.failures.map((failure) => `${target}: ${failure}`),
  );
}

function toJson(outcome: PressOutcome) {
  const { targets, files, manifest, seconds, allocation, cost, verifications } = outcome;
  return {
    ...(manifest ?? { dryRun: true, files, artifacts: targets.map(describePlan) }),
    seconds,
    peakRss: peakRss(),
    ...(allocation && { allocation }),
    ...(cost && { measuring: cost }),
    ...(verifications && {
      verifications: Object.fromEntries(
        verifications.map(({ target, verification }) => [target, withoutPositions(verification)]),
      ),
    }),
  };
}

function outcomeLines(outcome: PressOutcome, theme: Theme): string[] {
  return [
    ...conversionLines({ ...outcome, peakRss: peakRss() }, theme),
    ...(outcome.cost ? costLines(outcome.cost) : []),
    ...(outcome.verifications ?? []).map(({ target, verification }) => {
      const found = outcomeOf(verification);
      const verdict = outcomeText(found === 'passed' ? 'verified' : found, theme);
      return `${verdict} ${target}: ${summarizeVerification(verification)}`;
    }),
  ];
}

/** How to run the artifacts that passed. */
function hints({ targets, manifest, verifications = [] }: PressOutcome, request: PressRequest): string[] {
  if (manifest === undefined) return [];
  const failed = new Set(
    verifications.filter(({ verification }) => !verification.passed).map(({ target }) => target),
  );
  const sound = targets.filter(({ plan }) => !failed.has(plan.target));
  return runHints(sound, request.output, request.options?.arch ?? 'plm');
}

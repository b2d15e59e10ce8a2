import { Command, Option } from 'commander';
import { KV_B_RULES } from '../../../../formats/gguf/scheme-choice.ts';
import { QUALITIES } from '../../../passes/rounding/calibrated-rounding.ts';
import { formatsWith } from '../../../pipeline/formats/index.ts';
import { outcomeOf, withoutPositions } from '../../../pipeline/verify.ts';
import { type PressOutcome, press } from '../../../press/press.ts';
import type { PressRequest } from '../../../press/request.ts';
import {
  collect,
  collectInteger,
  collectPass,
  collectPassName,
  collectTarget,
  collectTensorType,
  parseNumber,
  parseScheme,
  parseShare,
  parseSize,
} from '../../arguments.ts';
import { peakRss } from '../../peak-memory.ts';
import { ScopedOption } from '../../scoped-option.ts';
import type { OpenSession, Session } from '../../session.ts';
import { conversionLines, describePlan } from '../../ui/conversion.ts';
import { runHints } from '../../ui/run-hints.ts';
import type { Theme } from '../../ui/terminal/theme.ts';
import { outcomeText, summarizeVerification } from '../../ui/verification.ts';
import { type ConvertFlags, pressRequest } from '../flags/convert-flags.ts';
import { cacheOption, ggufArchOption } from '../flags/format-flags.ts';
import { reportOption } from '../flags/report-flags.ts';
import { threadsOption } from '../flags/runtime-flags.ts';
import { tellPart } from './part.ts';
import { verificationFailure } from './verify.ts';

const HELP = `
Sizes are 500M, 3.5GB (decimal) or 512MiB (binary). \`plmpress schemes\` lists the targets and schemes.
A tensor takes the first of these that is given: --token-embedding-type, the first --tensor-type that matches anywhere in
its GGUF name (blk.0.attn_q.weight), --schemes or --target-size, --pure, the rule of the target. Vectors stay F32. Bundles of
webgpu take the schemes q4, q8 and f16 there, and patterns that match in the names of checkpoints (self_attn.q_proj) as well.
--gguf-arch deepseek2 makes files that run with a KV cache one ninth the size and with flash attention, but hold the
first matrix of every FFN twice; docs/gguf.md says when that pays.
An option that would change nothing is refused; where it changes nothing in some of the targets, a note says so.
All targets are written, or none: files get their names when they are whole and on the disk, and a run that fails
or is interrupted leaves the folder as it was. With --resume, finished tensors stay in .plmpress-resume in that
folder until the same conversion is complete. The same command continues with them, after it has checked their
hashes and those of the source. With --verify, files are complete before they are compared, and stay if the check
is interrupted. The same source and options give the same bytes everywhere.
ONNX graphs of several runs can share a folder if source, passes and --cache are the same. A later run needs --force,
since it replaces config.json, which then lists all graphs.

Examples:
  plmpress convert checkpoint/ --to gguf:q8_0 -o out/ --verify
  plmpress convert checkpoint/ --to onnx:q4 --to onnx:q8 -o web/
  plmpress convert checkpoint/ --to gguf:q4_k_m --statistics stats.gguf --quality best -o out/
  plmpress convert PLM-Team/PLM-1.8B-Instruct --to gguf:q4_k_m --stream --resume -o out/
  plmpress convert checkpoint/ --to webgpu:q4 -o page/ --dry-run`;

/** What a command line of `convert` leads to. */
export type RunConvert = (session: Session, request: PressRequest) => Promise<void>;

export function convertCommand(open: OpenSession, run: RunConvert = convertAndTell): Command {
  return new Command('convert')
    .description('convert a model into artifacts, recorded in plmpress.json')
    .argument('<source>', 'checkpoint folder, .gguf file, artifact folder, or org/name of the Hub')
    .requiredOption(
      '--to <target>',
      'what to write, as gguf:q8_0, onnx:q4 or webgpu:q4; repeatable',
      collectTarget,
    )
    .requiredOption('-o, --output <dir>', 'output folder')
    .optionsGroup('Artifact:')
    .addOption(ggufArchOption())
    .addOption(cacheOption())
    .addOption(
      new Option(
        '--quality <quality>',
        'best rounds with error feedback, by --statistics: GGUF, onnx:q4 and q4f16, webgpu:q4 and q8',
      )
        .choices(QUALITIES)
        .default('fast'),
    )
    .option(
      '--shard-size <size>',
      'split into files of at most this size, but never split a tensor; webgpu: 32MiB at most',
      parseSize,
    )
    .addOption(
      new ScopedOption(
        '--strict',
        'refuse instead of storing a tensor in another scheme than the target says',
      ).forTargets(formatsWith('strict')),
    )
    .option('--imatrix <file>', 'importances of columns, as llama-imatrix writes them (.gguf or .dat)')
    .option(
      '--statistics <file>',
      'what --quality best and passes such as prune-ffn go by, of `plmpress calibrate`',
    )
    .addOption(
      new ScopedOption('--tensor-type <regex=scheme>', 'scheme of the matrices that match; repeatable')
        .argParser(collectTensorType)
        .forTargets(formatsWith('tensorTypes')),
    )
    .addOption(
      new ScopedOption('--token-embedding-type <scheme>', 'scheme of the embedding')
        .argParser(parseScheme)
        .forTargets(formatsWith('tokenEmbedding')),
    )
    .addOption(
      new ScopedOption('--pure', 'every matrix in the base scheme of the target')
        .forTargets(formatsWith('pure'))
        .notWith('--target-size', 'that chooses the scheme of every matrix'),
    )
    .addOption(
      new ScopedOption(
        '--target-size <size>',
        'choose the schemes of a GGUF, so that it is at most as large and diverges little, over --text',
      )
        .argParser(parseSize)
        .forTargets(formatsWith('allocation')),
    )
    .addOption(
      new ScopedOption(
        '--ffn-width <n>',
        'a width that --target-size may prune the FFN to, by --statistics; repeatable',
      )
        .argParser(collectInteger(1))
        .needs('--target-size'),
    )
    .addOption(
      new ScopedOption('--save-schemes <file>', 'write the schemes that --target-size has chosen')
        .needs('--target-size')
        .idleWith('--dry-run'),
    )
    .addOption(
      new ScopedOption('--schemes <file>', 'take the schemes from such a file').forTargets(
        formatsWith('allocation'),
      ),
    )
    .addOption(
      new ScopedOption(
        '--kv-b-rule <date>',
        'whose rule for attn_kv_b: that of llama.cpp today, or the one of PLM-Team’s own files',
      )
        .choices(KV_B_RULES)
        .default('current')
        .forTargets(formatsWith('kvBRule'))
        .notWith('--gguf-arch deepseek2', 'its files have no attn_kv_b')
        .notWith('--pure', 'that gives attn_kv_b the base scheme')
        .notWith('--target-size', 'that chooses the scheme of attn_kv_b'),
    )
    .option(
      '--pass <pass[:key=value,…]>',
      'rewrite the weights first (`plmpress passes`); repeatable',
      collectPass,
    )
    .addOption(
      new Option('--no-pass <pass>', 'leave out a pass that the target asks for; repeatable').argParser(
        collectPassName,
      ),
    )
    .option(
      '--adapter <dir>',
      'LoRA of PEFT, a folder or a Hub id, to merge into the source first; repeatable',
      collect,
    )
    .option(
      '--allow-requantize',
      'accept a quantized source, with or without passes and adapters: its rounding errors add to those of the target',
    )
    .optionsGroup('Run:')
    .option('--stream', 'read a source on the Hub while converting, with no copy on this machine')
    .addOption(
      new ScopedOption('--part <i/n>', 'do one of n parts, for `plmpress merge`: jobs of one conversion')
        .argParser(parseShare)
        .notWith('--stream', 'no part could tell that all of the source is what the Hub lists')
        .notWith('--verify', 'one part cannot run; `plmpress verify` checks what `plmpress merge` makes')
        .notWith('--resume', 'a part that is lost is made again'),
    )
    .option('--dry-run', 'plan with exact sizes, write nothing')
    .option(
      '--force',
      'replace existing files, and remove shards of the replaced artifact that the new one lacks',
    )
    .addOption(
      new ScopedOption(
        '--resume',
        'keep what is done when the run is interrupted, and go on there in the next',
      ).idleWith('--dry-run'),
    )
    .addOption(threadsOption())
    .option(
      '--max-memory <size>',
      'memory limit; default: the memory of this machine or container',
      parseSize,
    )
    .optionsGroup('Check:')
    .addOption(
      new ScopedOption(
        '--verify',
        'compare the artifacts with the source afterwards; exit code 6 where they fail',
      ).idleWith('--dry-run'),
    )
    .option('--no-verify', 'only read back what was written (default)')
    .addOption(
      new ScopedOption(
        '--max-kld <x>',
        'most mean KLD in nats per token that --verify lets pass; default: by the coarsest scheme',
      )
        .argParser(parseNumber(0))
        .needs('--verify'),
    )
    .addOption(
      new ScopedOption(
        '--text <file>',
        'text that --verify and --target-size read; repeatable; default: a short built-in text',
      )
        .argParser(collect)
        .needs('--verify', '--target-size'),
    )
    .addOption(reportOption().needs('--verify'))
    .addHelpText('after', HELP)
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

function toJson({ targets, files, manifest, seconds, allocation, verifications }: PressOutcome) {
  return {
    ...(manifest ?? { dryRun: true, files, artifacts: targets.map(describePlan) }),
    seconds,
    peakRss: peakRss(),
    ...(allocation && { allocation }),
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
    ...(outcome.verifications ?? []).map(({ target, verification }) => {
      const found = outcomeOf(verification);
      const verdict = outcomeText(found === 'passed' ? 'verified' : found, theme);
      return `${verdict} ${target}: ${summarizeVerification(verification)}`;
    }),
  ];
}

/** How to run what is sound. */
function hints({ targets, manifest, verifications = [] }: PressOutcome, request: PressRequest): string[] {
  if (manifest === undefined) return [];
  const failed = new Set(
    verifications.filter(({ verification }) => !verification.passed).map(({ target }) => target),
  );
  const sound = targets.filter(({ plan }) => !failed.has(plan.target));
  return runHints(sound, request.output, request.options?.arch ?? 'plm');
}

import { Command, Option } from 'commander';
import { PressError } from '../../core/errors.ts';
import { formatCount, formatCounted } from '../../core/format.ts';
import type { Model } from '../../core/model.ts';
import type { Engine } from '../../pipeline/engines/index.ts';
import { lineage } from '../../pipeline/lineage.ts';
import { withSource } from '../../pipeline/open.ts';
import { withStatistics } from '../../pipeline/open-statistics.ts';
import { readText } from '../../pipeline/read-text.ts';
import { recordedArtifact } from '../../pipeline/recorded-artifact.ts';
import {
  checkFiles,
  DEFAULT_VERIFY_TOKENS,
  recordedPasses,
  type Verification,
  verify,
  withoutPositions,
} from '../../pipeline/verify.ts';
import type { Section } from '../../report/panel.ts';
import { verificationSection } from '../../report/verification-section.ts';
import { collect, parseInteger, parseNumber } from '../arguments.ts';
import type { OpenSession } from '../program.ts';
import type { Session } from '../session.ts';
import { verificationStrips, verificationTable, worstTensorTable } from '../ui/verification.ts';
import { namedTexts, openReports, type ReportInputs, reportOption } from './report-flags.ts';
import { attentionOption, type RuntimeFlags, threadsOption } from './runtime-flags.ts';

interface VerifyFlags extends RuntimeFlags {
  readonly against: string;
  readonly statistics?: string;
  readonly adapter?: string[];
  readonly text?: string[];
  readonly tokens: number;
  readonly maxKld?: number;
  readonly engine: Exclude<Engine, 'webgpu'>;
  readonly device: 'cpu' | 'webgpu';
  readonly report?: string[];
  readonly force?: boolean;
}

const HELP = `
If plmpress.json lies beside the artifact, the files must be those that convert has written. Then every tensor is
compared with its source, and both models run over the text: the source, a GGUF and the weights of a WebGPU bundle in the
reference runtime, an ONNX graph node by node in an interpreter, or in ONNX Runtime. Files of a bundle must be those of its
manifest, too. What an artifact of its schemes cannot show sets the exit code to 6.
A report shows where bytes and errors are, by tensor, layer and position, as a page without scripts or as Markdown for the
summary of a CI job.

Examples:
  plmpress verify out/ --against checkpoint/ --tokens 500
  plmpress verify out/ --against checkpoint/ --text sample.txt --max-kld 0.02 --report report.html`;

export function verifyCommand(open: OpenSession): Command {
  return new Command('verify')
    .description('prove that an artifact still is its source')
    .argument('<artifact>', '.gguf file, ONNX graph or folder of one of them, or folder of a WebGPU bundle')
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
      'most mean KLD in nats a token; default: by the coarsest scheme, none where neurons were pruned',
      parseNumber(0),
    )
    .optionsGroup('Run:')
    .addOption(
      new Option(
        '--engine <engine>',
        'what computes the artifact; onnxruntime where it is installed beside plmpress',
      )
        .choices(['builtin', 'onnxruntime'])
        .default('builtin'),
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
    .option('--force', 'replace reports that are there')
    .addHelpText('after', HELP)
    .action(async (artifactSpec: string, flags: VerifyFlags) => {
      const session = open();
      const { against, adapter, text, tokens: maxTokens, maxKld, attention, threads } = flags;
      const engine = flags.device === 'webgpu' ? 'webgpu' : flags.engine;
      const { signal, progress } = session;
      const texts = text && (await Promise.all(text.map(readText)));
      const verifying = (artifact: Model, place: string | undefined) =>
        withSource(
          against,
          async (source, sourcePlace) => {
            const read: ReportInputs = {
              models: [
                [source, sourcePlace],
                [artifact, place],
              ],
              files: [...(text ?? []), flags.statistics],
            };
            const writeReports = await openReports(read, flags.report, flags.force);
            await checkFiles(place!, artifact);
            const passes = await recordedPasses(place!, artifact);
            const found = await withStatistics(flags.statistics, (statistics) =>
              verify(source, artifact, {
                ...{ passes, maxTokens, attention, threads, engine, signal, progress },
                ...(statistics !== undefined && { statistics }),
                ...(texts !== undefined && { texts }),
                ...(maxKld !== undefined && { maxKld }),
              }),
            );
            if (flags.report !== undefined) {
              const section = await reportSection(place, source, artifact, found, namedTexts(text, texts));
              await writeReports(reportTitle(source), [section]);
            }
            return found;
          },
          { ...session.access, ...(adapter && { adapters: adapter }) },
        );
      const verification = await withSource(artifactSpec, verifying, session.access);
      await tell(session, verification);
    });
}

export function reportTitle({ name }: Model): string {
  return `${name}: verification`;
}

/** What a report says of an artifact, which lies at `place`. */
export async function reportSection(
  place: string | undefined,
  source: Model,
  artifact: Model,
  verification: Verification,
  texts: ReturnType<typeof namedTexts>,
): Promise<Section> {
  const record = await recordedArtifact(place, artifact);
  const title = `${artifact.name} as ${record?.target ?? artifact.format}`;
  return verificationSection(title, verification, await lineage(source, artifact, record, texts));
}

async function tell(session: Session, verification: Verification): Promise<void> {
  const { passed, failures, tokens, tensors } = verification;
  if (session.json) await session.writeJson(withoutPositions(verification));
  else if (!session.quiet) {
    await session.writeLines([
      ...verificationTable(verification, session.theme),
      '',
      ...worstTensorTable(tensors, session.theme),
      '',
      ...verificationStrips(verification, session.theme),
      '',
      ...failures.map((failure) => `${session.theme.bad('failed')} ${failure}`),
      ...(passed ? [`${session.theme.good('passed')} over ${formatCounted(tokens, 'token')}`] : []),
    ]);
  }
  if (!passed) await session.fail(verificationFailure(failures));
}

/** The first failure of several. */
export function verificationFailure(failures: readonly string[]): PressError {
  const more = failures.length > 1 ? ` (and ${formatCount(failures.length - 1)} more)` : '';
  return new PressError('verification', { what: `${failures[0]}${more}` });
}

import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { usage } from '../../../core/errors.ts';
import type { Model } from '../../../core/model.ts';
import type { Statistics } from '../../../core/statistics.ts';
import { formatCount, formatCounted } from '../../../core/text/format.ts';
import { QUALITIES, type Quality } from '../../../passes/rounding/calibrated-rounding.ts';
import { lineage } from '../../../pipeline/artifacts/lineage.ts';
import { withSource } from '../../../pipeline/sources/open.ts';
import { withStatistics } from '../../../pipeline/sources/open-statistics.ts';
import { readImatrix } from '../../../pipeline/sources/read-imatrix.ts';
import { type SweepPoint, type SweepSize, sweep } from '../../../pipeline/sweep.ts';
import { SweepFile } from '../../../pipeline/sweep-file.ts';
import { readNamedTexts, textsOf } from '../../../press/named-text.ts';
import { openReports } from '../../../press/report-files.ts';
import { sweepSection } from '../../../report/sweep-section.ts';
import { collect, parseSize, parseTarget } from '../../arguments.ts';
import { helpText } from '../../help-text.ts';
import { ScopedOption } from '../../scoped-option.ts';
import type { OpenSession, Session } from '../../session.ts';
import { sweepTable } from '../../ui/sweep.ts';
import {
  ffnWidthOption,
  imatrixOption,
  sourceArgument,
  statisticsOption,
  tokensOption,
} from '../flags/input-flags.ts';
import { reportOption } from '../flags/report-flags.ts';
import { threadsOption } from '../flags/runtime-flags.ts';

interface SweepFlags {
  readonly to: string;
  readonly sizes: SweepSize[];
  readonly quality: Quality;
  readonly imatrix?: string;
  readonly statistics?: string;
  readonly ffnWidth?: number[];
  readonly text?: string[];
  readonly evalText?: string[];
  readonly tokens?: number;
  readonly output?: string;
  readonly report?: string[];
  readonly force?: boolean;
  readonly threads?: number;
}

const HELP = `
Schemes are chosen for each size as by \`convert --target-size\`; the costs of matrices are measured once for all sizes. A
size is in bytes (900MB), or a share of what the target takes by itself (80%). The table shows bytes and divergence on
--eval-text, which should be another text than --text. With -o, the same command continues an interrupted sweep.

Examples:
  plmpress sweep checkpoint/ --to gguf:q4_k_m --sizes 60%,80%,100% \\
    --quality fast
  plmpress sweep checkpoint/ --to gguf:q4_k_m --sizes 80% \\
    --statistics stats.gguf --text sample.txt -o points.json`;

export function sweepCommand(open: OpenSession): Command {
  return new Command('sweep')
    .description('choose the schemes of a GGUF for several sizes, and measure the error of each')
    .addArgument(sourceArgument())
    .requiredOption('--to <gguf:recipe>', 'target to start from, such as gguf:q4_k_m', parseTarget)
    .requiredOption('--sizes <sizes>', 'sizes, separated by commas: 700MB,900MB or 60%,80%,100%', parseSizes)
    .optionsGroup('Rounding:')
    .addOption(
      new Option('--quality <quality>', 'rounding; best: with error feedback from --statistics')
        .choices(QUALITIES)
        .default('best'),
    )
    .addOption(statisticsOption().needs('--quality best', '--ffn-width'))
    .addOption(imatrixOption())
    .addOption(ffnWidthOption())
    .optionsGroup('Texts:')
    .option('--text <file>', 'text to choose schemes on; repeatable; default: a short built-in text', collect)
    .option('--eval-text <file>', 'text to measure on; repeatable; default: --text', collect)
    .addOption(tokensOption('for each of the two; default: 2048'))
    .optionsGroup('Output:')
    .option('-o, --output <file>', 'JSON file to keep the results in')
    .addOption(reportOption())
    .addOption(
      new ScopedOption('--force', 'replace results of another sweep, and existing reports').needs(
        '--output',
        '--report',
      ),
    )
    .optionsGroup('Run:')
    .addOption(threadsOption())
    .addHelpText('after', helpText(HELP))
    .action((source: string, flags: SweepFlags) => {
      const session = open();
      if (flags.quality === 'best' && flags.statistics === undefined) {
        throw usage(
          '--quality best needs --statistics',
          'a file of `plmpress calibrate --second-moments all`, or --quality fast',
        );
      }
      return withStatistics(flags.statistics, (statistics) =>
        withSource(
          source,
          (model, place) => run(session, { place, model, statistics }, flags),
          session.access,
        ),
      );
    });
}

function parseSizes(text: string): SweepSize[] {
  return text.split(',').map((part): SweepSize => {
    const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(part.trim());
    if (percent === null) return { bytes: parseSize(part.trim()) };
    const share = Number(percent[1]) / 100;
    if (!(share > 0 && share <= 100))
      throw new InvalidArgumentError('Expected a share above 0% and up to 10000%.');
    return { share };
  });
}

interface Input {
  /** Path of the source, if it is on this machine. */
  readonly place: string | undefined;
  readonly model: Model;
  readonly statistics: Statistics | undefined;
}

async function run(session: Session, { place, model, statistics }: Input, flags: SweepFlags): Promise<void> {
  const { to: target, sizes, quality, threads, ffnWidth: ffnWidths = [], tokens } = flags;
  const { text = [], evalText = [] } = flags;
  const writeReports = await openReports(
    {
      models: [[model, place]],
      files: [...text, ...evalText, flags.statistics, flags.imatrix, flags.output],
    },
    flags.report,
    flags.force,
  );
  const read = (files?: string[]) => files && readNamedTexts(files);
  const [texts, evalTexts, imatrix] = await Promise.all([
    read(flags.text),
    read(flags.evalText),
    flags.imatrix === undefined ? undefined : readImatrix(flags.imatrix),
  ]);
  const inputs = JSON.stringify([
    ...[target, quality, ffnWidths, tokens, texts && textsOf(texts), evalTexts && textsOf(evalTexts)],
    ...[statistics?.sha256, imatrix?.sha256],
  ]);
  const kept =
    flags.output === undefined
      ? undefined
      : await SweepFile.open(flags.output, model, inputs, {
          force: flags.force ?? false,
          signal: session.signal,
        });
  const points: SweepPoint[] = [];
  const found = sweep(model, {
    target,
    sizes,
    threads,
    ffnWidths,
    signal: session.signal,
    progress: session.progress,
    options: { quality, ...(statistics && { statistics }), ...(imatrix && { imatrix }) },
    ...(texts && { texts: textsOf(texts) }),
    ...(evalTexts && { evalTexts: textsOf(evalTexts) }),
    ...(tokens !== undefined && { maxTokens: tokens, evalTokens: tokens }),
    ...(kept && { known: (bytes) => kept.find(bytes) }),
  });
  try {
    for await (const point of found) {
      points.push(point);
      await kept?.add(point);
    }
  } catch (error) {
    if (session.signal.aborted && kept !== undefined && points.length > 0) {
      const done = formatCounted(points.length, 'size');
      session.note(
        `${done} of ${formatCount(sizes.length)} are kept in ${flags.output}: the same command continues with the rest`,
      );
    }
    throw error;
  }
  if (flags.report !== undefined) {
    const section = sweepSection(
      target,
      points,
      await lineage(model, undefined, undefined, [...(texts ?? []), ...(evalTexts ?? [])]),
      [
        ['quality', quality],
        ...sources('statistics', statistics),
        ...sources('importances', imatrix),
        ...(evalText.length > 0
          ? [['judged by', evalText.map((file) => path.basename(file)).join(', ')] as const]
          : []),
      ],
    );
    await writeReports(`${model.name}: sweep`, [section]);
  }
  if (session.json) await session.writeJson({ target, points });
  else if (!session.quiet) await session.writeLines(sweepTable(points, session.theme));
}

/** A file that rounding went by, by content. */
function sources(
  name: string,
  file: { readonly name: string; readonly sha256: string } | undefined,
): (readonly [string, string])[] {
  return file === undefined ? [] : [[name, `${file.name}, SHA-256 ${file.sha256}`]];
}

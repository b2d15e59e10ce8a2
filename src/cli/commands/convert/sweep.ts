import { Command, InvalidArgumentError, Option } from 'commander';
import { QUALITIES, type Quality } from '../../../passes/rounding/calibrated-rounding.ts';
import type { SweepSize } from '../../../pipeline/sweep.ts';
import { sweepSizes } from '../../../press/sweep-sizes.ts';
import { collect, parseSize, parseTarget } from '../../arguments.ts';
import { helpText } from '../../help-text.ts';
import { ScopedOption } from '../../scoped-option.ts';
import type { OpenSession } from '../../session.ts';
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
    .action(async (source: string, flags: SweepFlags) => {
      const session = open();
      const { to: target, ffnWidth, text, evalText, tokens, report, ...same } = flags;
      const points = await sweepSizes(
        {
          ...same,
          source,
          target,
          ffnWidths: ffnWidth,
          texts: text,
          evalTexts: evalText,
          maxTokens: tokens,
          reports: report,
        },
        session.access,
      );
      if (session.json) await session.writeJson({ target, points });
      else if (!session.quiet) await session.writeLines(sweepTable(points, session.theme));
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

import { Command, InvalidArgumentError, Option } from 'commander';
import { QUALITIES, type Quality } from '../../../passes/rounding/calibrated-rounding.ts';
import type { SweepSize } from '../../../pipeline/sweep.ts';
import { sweepSizes } from '../../../press/sweep-sizes.ts';
import { collect, collectInteger, parseInteger, parseSize, parseTarget } from '../../arguments.ts';
import { ScopedOption } from '../../scoped-option.ts';
import type { OpenSession } from '../../session.ts';
import { sweepTable } from '../../ui/sweep.ts';
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
Every size is a choice of schemes as --target-size of \`convert\` makes it; what matrices cost is measured once for all. A size
is 900MB, or 80% of what the target itself takes. The table tells the bytes and the divergence over --eval-text, which should be
another text than the one that schemes are chosen over. With -o an interrupted sweep goes on where it was.

Examples:
  plmpress sweep checkpoint/ --to gguf:q4_k_m --sizes 60%,80%,100% --quality fast
  plmpress sweep checkpoint/ --to gguf:q4_k_m --sizes 80% --statistics stats.gguf --text sample.txt -o points.json`;

export function sweepCommand(open: OpenSession): Command {
  return new Command('sweep')
    .description('choose the schemes of a GGUF for several sizes, and measure what each costs')
    .argument('<source>', 'checkpoint folder, .gguf file, artifact folder, or org/name of the Hub')
    .requiredOption('--to <gguf:recipe>', 'what to write, as gguf:q4_k_m', parseTarget)
    .requiredOption('--sizes <sizes>', 'sizes separated by commas: 700MB,900MB or 60%,80%,100%', parseSizes)
    .optionsGroup('Round:')
    .addOption(
      new Option('--quality <quality>', 'how weights are rounded').choices(QUALITIES).default('best'),
    )
    .addOption(
      new ScopedOption(
        '--statistics <file>',
        'second moments, as `plmpress calibrate` writes them, for --quality best and --ffn-width',
      ).needs('--quality best', '--ffn-width'),
    )
    .option('--imatrix <file>', 'importances of columns')
    .option('--ffn-width <n>', 'a width that the FFN may be pruned to; repeatable', collectInteger(1))
    .optionsGroup('Choose and judge:')
    .option('--text <file>', 'text that schemes are chosen over; repeatable', collect)
    .option('--eval-text <file>', 'text that points are judged by; repeatable; default: --text', collect)
    .option('--tokens <n>', 'most tokens of each; default: 2048', parseInteger(2))
    .optionsGroup('Keep:')
    .option('-o, --output <file>', 'JSON file that keeps the points')
    .addOption(reportOption())
    .addOption(
      new ScopedOption('--force', 'replace a file that is of something else, and reports').needs(
        '--output',
        '--report',
      ),
    )
    .optionsGroup('Run:')
    .addOption(threadsOption())
    .addHelpText('after', HELP)
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

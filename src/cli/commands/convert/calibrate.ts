import path from 'node:path';
import { Command, Option } from 'commander';
import { usage } from '../../../core/errors.ts';
import type { Model } from '../../../core/model.ts';
import { formatCount, formatCounted, formatRate } from '../../../core/text/format.ts';
import {
  CALIBRATION_DEVICES,
  type Calibration,
  type CalibrationDevice,
  calibrate,
  MOMENT_ROLES,
  type MomentRole,
} from '../../../pipeline/calibration/calibrate.ts';
import { withSource } from '../../../pipeline/sources/open.ts';
import { readText } from '../../../pipeline/sources/read-text.ts';
import { collectChoice, collectText, collectWeight, type NamedFile, parseInteger } from '../../arguments.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession } from '../../session.ts';
import { sourceArgument, tokensOption } from '../flags/input-flags.ts';
import { threadsOption } from '../flags/runtime-flags.ts';

interface CalibrateFlags {
  readonly text: NamedFile[];
  readonly output: string;
  readonly tokens?: number;
  readonly context?: number;
  readonly weight?: ReadonlyMap<string, number>;
  readonly secondMoments?: (MomentRole | 'all')[];
  readonly resume?: boolean;
  readonly device: CalibrationDevice;
  readonly threads?: number;
  readonly force?: boolean;
}

const HELP = `
The file is an importance matrix in the GGUF form of llama-imatrix, which \`convert --imatrix\` and llama-quantize read. It
also holds how often neurons of the FFN fire, which \`convert --statistics\` reads. To make up for removed neurons,
prune-ffn needs --second-moments down_proj. \`convert --quality best\` needs --second-moments all, or no statistics.

Each chunk of --context tokens is read on its own. Choose short chunks for models that were trained on short texts.

--device webgpu keeps Q8_0 and Q4_0 matrices as they are stored and rounds others to f16. The GPU holds one layer at a
time. No real GPU has been measured yet.

Examples:
  plmpress calibrate checkpoint/ --text sample.txt -o stats.gguf
  plmpress calibrate checkpoint/ --text prose=sample.txt --weight prose=2 \\
    --second-moments all -o stats.gguf`;

export function calibrateCommand(open: OpenSession): Command {
  return new Command('calibrate')
    .description('run a model over text and write statistics of its activations')
    .addArgument(sourceArgument())
    .requiredOption('--text <file>', 'text to read, FILE or NAME=FILE; repeatable', collectText)
    .requiredOption('-o, --output <stats>', 'statistics file to write')
    .optionsGroup('Text:')
    .addOption(tokensOption('to read from all texts together; default: all'))
    .option(
      '--context <n>',
      'tokens per chunk; default: 512, or the context of the model if it is shorter',
      parseInteger(1),
    )
    .option(
      '--weight <name=w>',
      'weight of the tokens of a named text; repeatable; default: 1',
      collectWeight,
    )
    .optionsGroup('Statistics:')
    .addOption(
      new Option(
        '--second-moments <matrix>',
        `matrix to collect second moments of the inputs for: ${MOMENT_ROLES.join(', ')}, or all; repeatable`,
      ).argParser(collectChoice([...MOMENT_ROLES, 'all'] as const)),
    )
    .optionsGroup('Run:')
    .addOption(
      new Option('--device <device>', 'where the model runs; webgpu: on a GPU, needs the npm package webgpu')
        .choices(CALIBRATION_DEVICES)
        .default('cpu'),
    )
    .addOption(threadsOption())
    .option('--resume', 'continue an interrupted run with the same options')
    .option('--force', 'replace an existing file')
    .addHelpText('after', helpText(HELP))
    .action(async (source: string, flags: CalibrateFlags) => {
      const session = open();
      const { output, tokens, context, threads, force, resume, weight = new Map() } = flags;
      const { signal, progress } = session;
      const unknown = [...weight.keys()].find((name) => !flags.text.some((text) => text.name === name));
      if (unknown !== undefined) {
        const names = flags.text.map(({ name }) => name).join(', ');
        throw usage(`--weight names an unknown text ${JSON.stringify(unknown)}`, names);
      }
      const texts = await Promise.all(
        flags.text.map(async ({ name, file }) => ({
          name,
          text: await readText(file),
          weight: weight.get(name) ?? 1,
        })),
      );
      const calibrating = (model: Model, place: string | undefined) =>
        calibrate({
          model,
          texts,
          output,
          threads,
          signal,
          progress,
          device: flags.device,
          inputs: flags.text.map(({ file }) => file),
          source: place,
          maxTokens: tokens,
          contextLength: context,
          force,
          resume,
          ...(flags.secondMoments && { moments: momentRoles(flags.secondMoments) }),
        });
      const calibration = await withSource(source, calibrating, session.access);
      if (session.json) await session.writeJson(calibration);
      else if (!session.quiet) await session.writeLines(summaryLines(path.basename(output), calibration));
    });
}

function summaryLines(file: string, calibration: Calibration): string[] {
  const { tokens, chunks, tokensPerSecond, firingRates, silentNeurons, bytes } = calibration;
  const read = `from ${formatCounted(tokens, 'token')} in ${formatCounted(chunks, 'chunk')}`;
  const rate = formatRate(tokensPerSecond);
  return [
    `${file}  ${formatCounted(bytes, 'byte')}, ${read}${rate === undefined ? '' : `, ${rate} tokens/s`}`,
    ...firingRates.map((rate, layer) => {
      const percent = `${(100 * rate).toFixed(1)} %`.padStart(7);
      return `layer ${String(layer).padStart(2)}  ${percent} of the neurons fire, ${formatCount(silentNeurons[layer]!)} never`;
    }),
  ];
}

function momentRoles(asked: readonly (MomentRole | 'all')[]): MomentRole[] {
  return MOMENT_ROLES.filter((role) => asked.includes('all') || asked.includes(role));
}

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
} from '../../../pipeline/calibrate.ts';
import { withSource } from '../../../pipeline/sources/open.ts';
import { readText } from '../../../pipeline/sources/read-text.ts';
import {
  collectChoice,
  collectText,
  collectWeight,
  type NamedFile,
  parseInteger,
  parseSize,
} from '../../arguments.ts';
import { ScopedOption } from '../../scoped-option.ts';
import type { OpenSession } from '../../session.ts';
import { threadsOption } from '../flags/runtime-flags.ts';

interface CalibrateFlags {
  readonly text: NamedFile[];
  readonly output: string;
  readonly tokens?: number;
  readonly context?: number;
  readonly weight?: ReadonlyMap<string, number>;
  readonly secondMoments?: (MomentRole | 'all')[];
  readonly momentsMemory?: number;
  readonly resume?: boolean;
  readonly device: CalibrationDevice;
  readonly threads?: number;
  readonly force?: boolean;
}

const HELP = `
The file is an importance matrix in the GGUF form of llama-imatrix: \`convert --imatrix\` takes it, and so does
llama-quantize. Further tensors, which both leave alone, tell how neurons of the FFN fire; \`convert --statistics\` has
passes that go by them. prune-ffn wants --second-moments down_proj to repair what it leaves, \`convert
--quality best\` all.
Each chunk of --context tokens is read without a past. Models that were trained on short texts want short chunks.
--device webgpu holds matrices in f16, or as they are stored in Q8_0 and Q4_0, and gathers all but --second-moments.

Examples:
  plmpress calibrate checkpoint/ --text sample.txt -o stats.gguf
  plmpress calibrate checkpoint/ --text prose=sample.txt --weight prose=2 --second-moments all -o stats.gguf`;

export function calibrateCommand(open: OpenSession): Command {
  return new Command('calibrate')
    .description('run a model over text and write statistics of its activations')
    .argument('<source>', 'checkpoint folder, .gguf file, artifact folder, or org/name of the Hub')
    .requiredOption('--text <file>', 'text to read, FILE or NAME=FILE; repeatable', collectText)
    .requiredOption('-o, --output <stats>', 'file to write')
    .optionsGroup('Read:')
    .option('--tokens <n>', 'most tokens of all texts; default: all', parseInteger(2))
    .option('--context <n>', 'tokens of a chunk; default: 512, or what the model knows', parseInteger(1))
    .option(
      '--weight <name=w>',
      'how often tokens of the text of that name count; repeatable; default: 1',
      collectWeight,
    )
    .optionsGroup('Gather:')
    .addOption(
      new ScopedOption(
        '--second-moments <matrix>',
        `gather products of every two channels that it reads: ${MOMENT_ROLES.join(', ')}, or all; repeatable`,
      )
        .argParser(collectChoice([...MOMENT_ROLES, 'all'] as const))
        .notWith('--device webgpu', 'a GPU gathers none here'),
    )
    .addOption(
      new ScopedOption(
        '--moments-memory <size>',
        'memory for second moments; the texts are read once more for what is beyond; default: 256MiB',
      )
        .argParser(parseSize)
        .needs('--second-moments'),
    )
    .optionsGroup('Run:')
    .addOption(
      new Option(
        '--device <device>',
        'where the model runs; webgpu: on a GPU, where the package webgpu is installed beside plmpress',
      )
        .choices(CALIBRATION_DEVICES)
        .default('cpu'),
    )
    .addOption(threadsOption())
    .option('--resume', 'go on where an interrupted run with the same options was')
    .option('--force', 'replace the file')
    .addHelpText('after', HELP)
    .action(async (source: string, flags: CalibrateFlags) => {
      const session = open();
      const { output, tokens, context, threads, force, resume, weight = new Map(), momentsMemory } = flags;
      const { signal, progress } = session;
      const unknown = [...weight.keys()].find((name) => !flags.text.some((text) => text.name === name));
      if (unknown !== undefined) {
        const names = flags.text.map(({ name }) => name).join(', ');
        throw usage(`--weight of ${JSON.stringify(unknown)}, which no text is called`, names);
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
          ...(place !== undefined && { source: place }),
          ...(tokens !== undefined && { maxTokens: tokens }),
          ...(context !== undefined && { contextLength: context }),
          ...(force !== undefined && { force }),
          ...(resume !== undefined && { resume }),
          ...(flags.secondMoments && { moments: momentRoles(flags.secondMoments) }),
          ...(momentsMemory !== undefined && { momentBytes: momentsMemory }),
        });
      const calibration = await withSource(source, calibrating, session.access);
      if (session.json) await session.writeJson(calibration);
      else if (!session.quiet) await session.writeLines(summaryLines(path.basename(output), calibration));
    });
}

function summaryLines(file: string, calibration: Calibration): string[] {
  const { tokens, chunks, readings, tokensPerSecond, firingRates, silentNeurons, bytes } = calibration;
  const often = readings === 1 ? '' : `, read ${formatCount(readings)} times`;
  const read = `from ${formatCounted(tokens, 'token')} in ${formatCounted(chunks, 'chunk')}`;
  const rate = formatRate(tokensPerSecond);
  return [
    `${file}  ${formatCounted(bytes, 'byte')}, ${read}${often}${rate === undefined ? '' : `, ${rate} tokens/s`}`,
    ...firingRates.map((rate, layer) => {
      const percent = `${(100 * rate).toFixed(1)} %`.padStart(7);
      return `layer ${String(layer).padStart(2)}  ${percent} of the neurons fire, ${formatCount(silentNeurons[layer]!)} never`;
    }),
  ];
}

function momentRoles(asked: readonly (MomentRole | 'all')[]): MomentRole[] {
  return MOMENT_ROLES.filter((role) => asked.includes('all') || asked.includes(role));
}

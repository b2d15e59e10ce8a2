import path from 'node:path';
import { Command } from 'commander';
import { type Calibration, calibrate } from '../../pipeline/calibrate.ts';
import { withSource } from '../../pipeline/open.ts';
import { readText } from '../../pipeline/read-text.ts';
import { collectText, type NamedFile, parseInteger } from '../arguments.ts';
import type { OpenSession } from '../program.ts';
import { threadsOption } from './runtime-flags.ts';

interface CalibrateFlags {
  readonly text: NamedFile[];
  readonly output: string;
  readonly tokens?: number;
  readonly context?: number;
  readonly threads: number;
  readonly force?: boolean;
}

const HELP = `
The file is an importance matrix in the GGUF form of llama-imatrix: \`convert --imatrix\` takes it, and so does
llama-quantize. Further tensors, which both leave alone, count how often each neuron of the FFN fires.
Each chunk of --context tokens is read without a past. Models that were trained on short texts want short chunks.`;

export function calibrateCommand(open: OpenSession): Command {
  return new Command('calibrate')
    .description('run a model over text and write statistics of its activations')
    .argument('<source>', 'checkpoint folder or .gguf file')
    .requiredOption('--text <file>', 'text to read, FILE or NAME=FILE; repeatable', collectText)
    .requiredOption('-o, --output <stats>', 'file to write')
    .option('--tokens <n>', 'most tokens of all texts; default: all', parseInteger(2))
    .option('--context <n>', 'tokens of a chunk; default: 512, or what the model knows', parseInteger(1))
    .addOption(threadsOption())
    .option('--force', 'replace the file')
    .addHelpText('after', HELP)
    .action(async (source: string, flags: CalibrateFlags) => {
      const session = open();
      const { output, tokens, context, threads, force } = flags;
      const { signal, progress } = session;
      const texts = await Promise.all(
        flags.text.map(async ({ name, file }) => ({ name, text: await readText(file) })),
      );
      const calibration = await withSource(source, (model) =>
        calibrate({
          ...{ model, source, texts, output, threads, signal, progress },
          inputs: flags.text.map(({ file }) => file),
          ...(tokens !== undefined && { maxTokens: tokens }),
          ...(context !== undefined && { contextLength: context }),
          ...(force !== undefined && { force }),
        }),
      );
      if (session.json) await session.writeJson(calibration);
      else if (!session.quiet) await session.writeLines(summaryLines(path.basename(output), calibration));
    });
}

function summaryLines(file: string, calibration: Calibration): string[] {
  const { tokens, chunks, tokensPerSecond, firingRates, silentNeurons, bytes } = calibration;
  return [
    `${file}  ${bytes} bytes, from ${tokens} tokens in ${chunks} chunks, ${Math.round(tokensPerSecond)} tokens/s`,
    ...firingRates.map((rate, layer) => {
      const percent = `${(100 * rate).toFixed(1)} %`.padStart(7);
      return `layer ${String(layer).padStart(2)}  ${percent} of the neurons fire, ${silentNeurons[layer]} never`;
    }),
  ];
}

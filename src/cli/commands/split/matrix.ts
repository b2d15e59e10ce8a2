import { Command } from 'commander';
import { jobMatrix } from '../../../pipeline/job-matrix.ts';
import { MAX_PARTS } from '../../../pipeline/parts/share.ts';
import { collect, collectTarget, parseInteger, parseSize } from '../../arguments.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession } from '../../session.ts';

interface MatrixFlags {
  readonly model: string[];
  readonly to: string[];
  readonly targetSize?: string[];
  readonly parts?: number;
}

const HELP = `
There is one job for every combination of model, target and size; sizes are for GGUF. With --parts, each conversion becomes
that many jobs, whose names end in .part-1-of-4 and so on. docs/jobs.md shows the workflow around it.

Examples:
  plmpress matrix --model checkpoint/ --to gguf:q4_k_m --to onnx:q4
  plmpress matrix --model PLM-Team/PLM-1.8B-Instruct --to gguf:q4_k_m \\
    --target-size 900MB --target-size 1.1GB --parts 4`;

export function matrixCommand(open: OpenSession): Command {
  return new Command('matrix')
    .description('print a job matrix for GitHub Actions as JSON, one job per conversion')
    .requiredOption('--model <source>', 'source to convert; repeatable', collect)
    .requiredOption(
      '--to <target>',
      'target to write, such as gguf:q8_0, onnx:q4 or webgpu:q4; repeatable',
      collectTarget,
    )
    .option('--target-size <size>', 'largest size of the GGUF; repeatable', collectSize)
    .option('--parts <n>', 'number of parts, and jobs, per conversion', parseInteger(1, MAX_PARTS))
    .addHelpText('after', helpText(HELP))
    .action(async ({ model, to, targetSize, parts }: MatrixFlags) => {
      const matrix = jobMatrix({
        models: model,
        targets: to,
        ...(targetSize && { sizes: targetSize }),
        ...(parts !== undefined && { parts }),
      });
      await open().writeJson(matrix);
    });
}

/** Sizes as they are written, for another command line. */
function collectSize(text: string, previous?: readonly string[]): string[] {
  parseSize(text);
  return collect(text, previous);
}

import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { interruptedProgram, program } from './program.ts';

/** A conversion as the command line has it, without the output folder. */
export interface Conversion {
  readonly source: string;
  /** Flags that name files which a record does not hold. */
  readonly files: readonly string[];
  /** All other flags. */
  readonly flags: readonly string[];
}

/** Ways to the same folder, each from a conversion and the folder that `whole` has written of it. */
export const WAYS: Readonly<
  Record<string, (job: Conversion, output: string, whole: string) => Promise<void>>
> = {
  whole: (job, output) => program(...convert(job), '-o', output),
  resumed: async (job, output) => {
    const argv = [...convert(job), '-o', output, '--resume', '--threads', '1'];
    await interruptedProgram(() => isUnderWay(output), ...argv);
    await program(...argv);
  },
  parts: async (job, output) => {
    const parts = `${output}-parts`;
    const folders = ['1', '2', '3'].map((number) => path.join(parts, number));
    for (const [index, folder] of folders.entries()) {
      await program(...convert(job), '--part', `${index + 1}/${folders.length}`, '-o', folder);
    }
    await program('merge', ...folders, '--from', job.source, ...job.files, '-o', output);
  },
  reproduced: (job, output, whole) =>
    program('reproduce', whole, '--from', job.source, ...job.files, '-o', output),
};

function convert({ source, files, flags }: Conversion): string[] {
  return ['convert', source, ...flags, ...files];
}

/** Whether tensors of an unfinished run lie in the folder. */
function isUnderWay(output: string): boolean {
  const kept = path.join(output, '.plmpress-resume');
  return existsSync(kept) && readdirSync(kept).length > 1;
}

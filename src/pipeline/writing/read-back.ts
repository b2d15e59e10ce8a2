import type { Progress } from '../../core/jobs/progress.ts';
import type { FileDigest, OutputFile, StagedOutput } from '../../io/staging/staged-output.ts';

export interface ReadBackOptions {
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Seals files of an output, which reads them back, and reports progress. By the names they were staged
 * with.
 */
export async function readBack(
  output: StagedOutput,
  files: readonly Pick<OutputFile, 'name' | 'bytes'>[],
  { progress, signal }: ReadBackOptions,
): Promise<Map<string, FileDigest>> {
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  progress?.({ kind: 'phase', name: 'read back', total, unit: 'bytes' });
  const onRead = (bytes: number) => {
    done += bytes;
    progress?.({ kind: 'advance', done });
  };
  const names = files.map(({ name }) => name);
  const digests = await output.seal({ names, onRead, signal });
  return new Map(digests.map((digest, index) => [names[index]!, digest]));
}

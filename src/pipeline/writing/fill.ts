import type { PlannedTensor } from '../../core/export-plan.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import type { SourceFile } from '../../core/model.ts';
import { openCompute } from '../../kernels/compute.ts';
import { defaultThreads } from '../../kernels/threads.ts';
import type { Ledger } from './ledger.ts';
import type { StoredTensor } from './stored-tensor.ts';
import type { TensorSink } from './tensor-sink.ts';
import { assertTranscodable, transcode } from './transcode.ts';
import { SLOTS, sideBytes, slotBytes } from './working-memory.ts';

/**
 * Writes the rows of tensors to their places, and returns what was stored for each. A ledger makes long work
 * resumable.
 */
export type Fill = (
  sinks: readonly TensorSink[],
  ledger?: Ledger,
) => Promise<ReadonlyMap<PlannedTensor, StoredTensor>>;

export interface TranscodingOptions {
  /** `Model.files`. */
  readonly files: readonly SourceFile[];
  readonly threads?: number | undefined;
  /** Most bytes that the process may hold. */
  readonly maxMemory: number | undefined;
  /** Working memory that is needed afterwards; left out: none. */
  readonly making?: number;
  /** Bytes that measuring takes meanwhile; left out: none. */
  readonly measuring?: number | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Fills `tensors` from their sources.
 * @throws PressError before anything is read: unsupported where a scheme cannot be written, local-io where
 * `maxMemory` is too small.
 */
export function transcodingFill(tensors: readonly PlannedTensor[], options: TranscodingOptions): Fill {
  const { files, maxMemory, making = 0, measuring = 0, progress, signal } = options;
  for (const tensor of tensors) assertTranscodable(tensor);
  const threads = options.threads ?? defaultThreads(tensors.map(({ source }) => source));
  const limit = { maxMemory, resident: process.memoryUsage.rss() + measuring, threads, making };
  const slot = slotBytes(tensors, limit);
  return async (sinks, ledger) => {
    const compute = await openCompute({ threads, bytes: SLOTS * slot + sideBytes(tensors) });
    try {
      return await transcode(sinks, {
        compute,
        slotBytes: slot,
        files,
        ...(ledger && { ledger }),
        progress,
        signal,
      });
    } finally {
      await compute.close();
    }
  };
}

import type { Progress } from '../../core/jobs/progress.ts';
import type { RoundOptions } from './round.ts';

/** Schemes that are to be chosen by size. */
export interface AllocationRequest extends RoundOptions {
  readonly progress?: Progress | undefined;
  /** Most bytes of the artifact, headers included. */
  readonly targetBytes: number;
  /** Widths of the FFN beside the model's own that it may be pruned to, uniformly. */
  readonly ffnWidths?: readonly number[] | undefined;
  /** Texts that the costs of tensors are measured on. Default: a short built-in text. */
  readonly texts?: readonly string[] | undefined;
  readonly maxTokens?: number | undefined;
  /** Most bytes that the process may hold. */
  readonly maxMemory?: number | undefined;
}

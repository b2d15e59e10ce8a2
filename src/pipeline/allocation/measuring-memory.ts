import type { PlannedTensor } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import { machine } from '../../kernels/machine.ts';
import { defaultThreads } from '../../kernels/threads.ts';
import { PlmRuntime } from '../../runtime/plm-runtime.ts';
import { defaultContext } from '../../verify/compare.ts';
import { slotBytes } from '../writing/working-memory.ts';
import type { AllocationRequest } from './request.ts';

/**
 * Logits of the source that are kept, lest they be computed for every tensor; and the part of the memory that
 * they may take.
 */
const REMEMBERED_BYTES = 512e6;
const REMEMBERED_SHARE = 1 / 4;

/** Most bytes of logits that are kept. */
export function rememberedBudget(maxMemory: number | undefined): number {
  return Math.min(REMEMBERED_BYTES, (maxMemory ?? machine().memory) * REMEMBERED_SHARE);
}

/**
 * Refuses a limit of memory that the choice of schemes would exceed: both models in the runtime, the rounded
 * matrices and the logits that are kept, and what a conversion takes beside them.
 * @throws PressError `local-io`
 */
export function assertMeasurable(
  model: Model,
  tensors: readonly PlannedTensor[],
  tokens: number,
  { maxMemory, targetBytes, threads: asked }: AllocationRequest,
): void {
  if (maxMemory === undefined) return;
  const threads = asked ?? defaultThreads(tensors.map(({ source }) => source));
  const running = PlmRuntime.memoryBytes(model, { contextLength: defaultContext(model) });
  const logits = 4 * model.config.vocabSize * tokens;
  const kept = logits <= rememberedBudget(maxMemory) ? logits : 0;
  const resident = process.memoryUsage.rss() + 2 * running + Math.min(targetBytes, running) + kept;
  slotBytes(tensors, { maxMemory, resident, threads });
}

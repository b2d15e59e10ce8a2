import type { ExportPlan } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import { formatBytes } from '../../core/text/format.ts';
import { assertPassRuns } from '../../passes/run.ts';
import type { PlanOptions } from './candidates.ts';
import { measuredIds } from './measured-ids.ts';
import { assertMeasurable } from './measuring-memory.ts';
import type { AllocationRequest } from './request.ts';
import { matricesOf } from './round.ts';
import { assertSizesPossible, planBytes, sizeBounds } from './size-bounds.ts';
import { pruningTo } from './width-allocator.ts';

/**
 * Plans a GGUF whose schemes are to be chosen by size, in the smallest ones, and refuses what could only fail
 * after it has been measured, which takes long.
 * @throws PressError as `sizeBounds`, `assertSizesPossible`, `assertPassRuns`, `measuredIds` and
 * `assertMeasurable` do.
 */
export async function draftBySize(
  model: Model,
  options: PlanOptions,
  request: AllocationRequest,
): Promise<ExportPlan> {
  const { targetBytes, ffnWidths = [], progress } = request;
  const bounds = sizeBounds(model, options);
  assertSizesPossible([targetBytes], bounds, model, ffnWidths);
  for (const width of ffnWidths) assertPassRuns(model, pruningTo(width));
  const ids = await measuredIds(model, request);
  assertMeasurable(model, matricesOf(bounds.smallest), ids.length, request);
  const most = planBytes(bounds.largest);
  if (targetBytes > most) {
    const message = `a size of ${formatBytes(targetBytes)} is more than the largest schemes take, ${formatBytes(most)}`;
    progress?.({ kind: 'note', message });
  }
  return bounds.smallest;
}

import { PressError, unsupported, usage } from '../../core/errors.ts';
import { type ExportPlan, type PlannedTensor, plannedBytes } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import { type SchemeName, schemeBytes } from '../../core/scheme.ts';
import { columnCount } from '../../core/tensor.ts';
import { formatCounted } from '../../core/text/format.ts';
import { exactly, type PlanOptions, planWith, schemesOf } from './candidates.ts';
import { matricesOf } from './round.ts';

/** Plans between which every choice of schemes lies. */
export interface SizeBounds {
  readonly smallest: ExportPlan;
  readonly largest: ExportPlan;
}

/**
 * Compares plans only: nothing is read or measured.
 * @throws PressError unsupported for another architecture than `plm`; usage where options name the schemes of
 * all matrices.
 */
export function sizeBounds(model: Model, options: PlanOptions): SizeBounds {
  const { arch = 'plm' } = options.options;
  if (arch !== 'plm')
    throw unsupported({ what: 'choice of schemes by size', got: arch, expected: 'arch plm' });
  const matrices = matricesOf(planWith(model, options, []));
  const planBy = (isBetter: (bytes: number, than: number) => boolean) =>
    planWith(
      model,
      options,
      matrices.map((tensor) => exactly(tensor.name, extreme(tensor, isBetter))),
    );
  const [smallest, largest] = [planBy((a, b) => a < b), planBy((a, b) => a > b)];
  const schemes = (plan: ExportPlan) => matricesOf(plan).map(({ scheme }) => scheme);
  if (schemes(smallest).join() === schemes(largest).join()) {
    throw usage('no scheme is left to choose by size: other options set those of all matrices');
  }
  return { smallest, largest };
}

function extreme(tensor: PlannedTensor, isBetter: (bytes: number, than: number) => boolean): SchemeName {
  const columns = columnCount(tensor.source);
  const bytes = (scheme: SchemeName) => schemeBytes(scheme, columns);
  return schemesOf(tensor).reduce((best, scheme) => (isBetter(bytes(scheme), bytes(best)) ? scheme : best));
}

/** Bytes of all files of a plan. */
export function planBytes({ files }: ExportPlan): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The requested size of an artifact is impossible. */
export class SizeTooSmall extends PressError {
  constructor(targetBytes: number, smallest: number) {
    super('usage', {
      what: `a size of ${formatCounted(targetBytes, 'byte')} is less than the smallest schemes need`,
      expected: `at least ${formatCounted(smallest, 'byte')}`,
    });
  }
}

/**
 * Refuses sizes that no choice of schemes reaches. For narrower FFNs the bound counts their weights in
 * proportion; the exact size is known when they are pruned.
 * @throws SizeTooSmall
 */
export function assertSizesPossible(
  sizes: readonly number[],
  { smallest: plan }: SizeBounds,
  { config }: Model,
  ffnWidths: readonly number[] = [],
): void {
  const ffn = matricesOf(plan).filter(({ name }) => FFN_MATRIX.test(name));
  const ffnBytes = ffn.reduce((sum, tensor) => sum + plannedBytes(tensor), 0);
  const narrowest = Math.min(1, ...ffnWidths.map((width) => width / Math.max(...config.intermediateSizes)));
  const smallest = Math.ceil(planBytes(plan) - (1 - narrowest) * ffnBytes);
  const tooSmall = sizes.find((size) => size < smallest);
  if (tooSmall !== undefined) throw new SizeTooSmall(tooSmall, smallest);
}

const FFN_MATRIX = /\.ffn_(up|down)\./;

import { SAMPLE_TEXT } from '../../calibration/sample-text.ts';
import { planGguf } from '../../formats/gguf/export.ts';
import { usage } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import { assertPassRuns } from '../passes/run.ts';
import { Tokenizer } from '../tokenizer/tokenizer.ts';
import { compareModels } from '../verify/compare.ts';
import type { Comparison } from '../verify/metrics.ts';
import type { Allocation } from './allocation/allocate.ts';
import type { AllocationRequest } from './allocation/request.ts';
import { roundedModel } from './allocation/round.ts';
import { assertSizesPossible, planBytes, sizeBounds } from './allocation/size-bounds.ts';
import { pruningTo, WidthAllocator } from './allocation/width-allocator.ts';
import { FORMATS, recipeOf, takes, targetFormat } from './formats/index.ts';
import { planTarget, withAllocation } from './planning/target.ts';
import type { TargetOptions } from './planning/target-options.ts';
import { encodeTexts } from './sources/read-text.ts';

/** Bytes, or a share of what the recipe itself takes. */
export type SweepSize = { readonly bytes: number } | { readonly share: number };

export interface SweepOptions extends Omit<AllocationRequest, 'targetBytes'> {
  /** A GGUF, as `gguf:q4_k_m`. */
  readonly target: string;
  readonly sizes: readonly SweepSize[];
  readonly options: TargetOptions;
  /** Texts that points are measured on. Left out: those that schemes are chosen on. */
  readonly evalTexts?: readonly string[] | undefined;
  readonly evalTokens?: number | undefined;
  /** Points that are known already, by the bytes that they allow. */
  readonly known?: ((targetBytes: number) => SweepPoint | undefined) | undefined;
}

export interface SweepPoint {
  /** The size limit, in bytes. */
  readonly targetBytes: number;
  readonly allocation: Allocation;
  /** Over the texts for judging. */
  readonly comparison: Comparison;
}

const DEFAULT_EVAL_TOKENS = 2048;

/**
 * Chooses schemes for several sizes of one target, measuring the model once, and yields a point each. The
 * points are in the order of `sizes`.
 * @throws PressError as `planTarget` and `WidthAllocator` do; usage for targets other than GGUF and for sizes
 * that cannot be, before anything is measured.
 */
export async function* sweep(model: Model, sweeping: SweepOptions): AsyncGenerator<SweepPoint> {
  const { target, sizes, options, evalTexts, known, ffnWidths = [], ...request } = sweeping;
  const format = targetFormat(target);
  if (format === undefined || !takes(FORMATS[format], 'allocation'))
    throw usage(`sizes cannot be swept of ${target}`, 'gguf:RECIPE');
  const recipe = recipeOf(target);
  const { texts = [SAMPLE_TEXT], evalTokens = DEFAULT_EVAL_TOKENS, threads, signal, progress } = request;
  const planning = { ...options, threads, progress, signal };
  const { model: prepared, plan } = await planTarget(model, target, planning);
  const whole = planBytes(plan);
  const bytesOf = (size: SweepSize) => ('bytes' in size ? size.bytes : Math.floor(size.share * whole));
  assertSizesPossible(sizes.map(bytesOf), sizeBounds(prepared, { recipe, options }), prepared, ffnWidths);
  for (const width of ffnWidths) assertPassRuns(prepared, pruningTo(width));
  const tokenizer = new Tokenizer(model.tokenizer);
  const ids = await encodeTexts(tokenizer, evalTexts ?? texts, evalTokens, signal);
  const allocator = new WidthAllocator(prepared, ffnWidths, { ...request, recipe, options, texts });
  try {
    for (const size of sizes) {
      const targetBytes = bytesOf(size);
      const before = known?.(targetBytes);
      if (before !== undefined) {
        yield before;
        continue;
      }
      const { model: allocated, allocation } = await allocator.allocate(targetBytes);
      const chosen = planGguf(allocated, {
        recipe,
        ...withAllocation(options, allocation),
        ...(allocated.importances && { imatrix: allocated.importances }),
      });
      const rounded = await roundedModel(allocated, chosen, { threads, signal });
      const comparison = await compareModels(prepared, rounded, ids, {
        threads,
        signal,
        progress,
      });
      yield { targetBytes, allocation, comparison };
    }
  } finally {
    await allocator.close();
  }
}

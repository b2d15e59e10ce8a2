import { type Rule, recipeNamed } from '../../../formats/gguf/recipes.ts';
import type { ExportPlan, TensorType } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import { SCHEMES } from '../../core/scheme.ts';
import { parsePassRequest, readStatistics } from '../../passes/run.ts';
import { FORMATS, recipeOf, targetFormat } from '../formats/index.ts';
import type { Target } from './planned-target.ts';
import { requiredPasses } from './target.ts';
import type { TargetOptions } from './target-options.ts';

/** An option without effect on a target. */
export type IdleOption =
  | { readonly option: 'quality' | 'imatrix' | 'statistics' | 'pure' | 'kvBRule'; readonly why: string }
  | { readonly option: 'tensorTypes'; readonly value: TensorType; readonly why: string }
  | { readonly option: 'withoutPasses'; readonly value: string; readonly why: string };

/**
 * The `options` without effect on a target that is planned for `model` with them. Limits, permissions and
 * defaults are never among them.
 */
export function idleOptions(model: Model, target: Target, options: TargetOptions): IdleOption[] {
  const { plan } = target;
  const idle: IdleOption[] = [];
  const { quality = 'fast', imatrix, statistics, pure, kvBRule, withoutPasses = [] } = options;
  const isRounded = goesByStatistics(plan, imatrix !== undefined);
  if (quality === 'best' && !isRounded) {
    idle.push({ option: 'quality', why: 'none of its matrices is in a scheme that error feedback supports' });
  }
  if (imatrix !== undefined && !weighs(plan)) {
    idle.push({ option: 'imatrix', why: 'none of its matrices is in a scheme that uses importances' });
  }
  if (
    statistics !== undefined &&
    statistics.unread === undefined &&
    !(quality === 'best' && isRounded) &&
    !readsStatistics(target, options)
  ) {
    idle.push({ option: 'statistics', why: 'only --quality best and passes such as prune-ffn use them' });
  }
  for (const value of plan.idleTypes ?? []) {
    idle.push({
      option: 'tensorTypes',
      value,
      why: 'no matrix matches it, or an earlier option decides for all that do',
    });
  }
  const required = requiredPasses(model, plan.target, options);
  const ran = target.passes.map((text) => parsePassRequest(text).name);
  for (const value of withoutPasses) {
    if (ran.includes(value)) idle.push({ option: 'withoutPasses', value, why: '--pass requests it' });
    else if (!required.includes(value)) {
      idle.push({ option: 'withoutPasses', value, why: 'the pass does not run there by default' });
    }
  }
  const rules = rulesOf(plan);
  if (pure && rules?.length === 0) {
    idle.push({ option: 'pure', why: 'its recipe has only one scheme' });
  }
  if (kvBRule === '2025-03' && rules?.every(({ roles }) => !roles?.includes('kv_b_proj'))) {
    idle.push({ option: 'kvBRule', why: 'its recipe has no rule for attn_kv_b' });
  }
  return idle;
}

/** Rules of the recipe of a GGUF; other formats have none. */
function rulesOf({ target }: ExportPlan): readonly Rule[] | undefined {
  return targetFormat(target) === 'gguf' ? recipeNamed(recipeOf(target)).rules : undefined;
}

/**
 * Whether activations change how weights are rounded. Importances of columns come from an imatrix where there
 * is one.
 */
function goesByStatistics(plan: ExportPlan, hasImatrix: boolean): boolean {
  const tensors = plan.files.flatMap((file) => file.tensors);
  return tensors.some(({ feedback }) => feedback !== undefined) || (!hasImatrix && weighs(plan));
}

function weighs({ files }: ExportPlan): boolean {
  return files.some(({ tensors }) =>
    tensors.some(({ importance, scheme }) => importance !== undefined && SCHEMES[scheme].weighsErrors),
  );
}

function readsStatistics({ passes, plan }: Target, { allocation }: TargetOptions): boolean {
  return (
    readStatistics(passes) ||
    FORMATS[targetFormat(plan.target)!].holdsFiring ||
    (allocation?.ffnWidths ?? []).length > 0
  );
}

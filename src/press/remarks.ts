import type { ExportPlan } from '../core/export-plan.ts';
import type { Model } from '../core/model.ts';
import { firstNames } from '../core/text/name-list.ts';
import type { Target } from '../pipeline/planning/planned-target.ts';

/** What a person should know before the work begins. */
export function remarks(model: Model, targets: readonly Target[]): string[] {
  const remarks = [
    ...model.notes,
    ...targets.flatMap(({ passes }) => passes.map((pass) => `pass ${pass} runs`)),
    ...targets.flatMap((target) => [...target.model.notes, ...target.plan.notes]),
    ...targets.flatMap(({ plan }) => fallbackRemarks(plan)),
  ];
  return [...new Set(remarks)];
}

/** One line for all tensors that fall back alike: every layer may have one. */
function fallbackRemarks({ target, fallbacks }: ExportPlan): string[] {
  const alike = new Map<string, string[]>();
  for (const { tensor, used, reason } of fallbacks) {
    const what = `${used}: ${reason}`;
    alike.set(what, [...(alike.get(what) ?? []), tensor]);
  }
  return [...alike].map(([what, tensors]) => {
    const verb = tensors.length === 1 ? 'becomes' : 'become';
    return `${target}: ${firstNames(tensors)} ${verb} ${what}`;
  });
}

import { usage } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import { type IdleOption, idleOptions } from '../pipeline/planning/idle-options.ts';
import type { Target } from '../pipeline/planning/planned-target.ts';
import type { TargetOptions } from '../pipeline/planning/target-options.ts';
import type { PressRequest } from './request.ts';

/** These get a note instead of an error, because llama-quantize accepts them for every recipe. */
const HARMLESS: readonly IdleOption['option'][] = ['pure', 'kvBRule'];

/**
 * Throws `usage` for a flag without effect in any of the targets, which are planned with `options`. Returns
 * notes on flags without effect in some targets. An option that is not in `asked` comes from a schemes file.
 */
export function assertUsed(
  model: Model,
  targets: readonly Target[],
  options: TargetOptions,
  asked: PressRequest['options'],
): string[] {
  const idle = new Map<string, { option: IdleOption; targets: string[] }>();
  for (const target of targets) {
    for (const option of idleOptions(model, target, options)) {
      const flag = flagOf(option, asked);
      if (flag === undefined) continue;
      const known = idle.get(flag) ?? { option, targets: [] };
      idle.set(flag, { option, targets: [...known.targets, target.plan.target] });
    }
  }
  return [...idle].map(([flag, { option, targets: unchanged }]) => {
    const what = `${flag} changes nothing in ${unchanged.join(', ')}: ${option.why}`;
    if (unchanged.length === targets.length && !HARMLESS.includes(option.option)) {
      throw usage(`${what}; leave it out`);
    }
    return what;
  });
}

/** The flag as it is typed; undefined for an option from a schemes file. */
function flagOf(idle: IdleOption, { tensorTypes = [] }: PressRequest['options'] = {}): string | undefined {
  switch (idle.option) {
    case 'quality':
      return '--quality best';
    case 'kvBRule':
      return '--kv-b-rule';
    case 'withoutPasses':
      return `--no-pass ${idle.value}`;
    case 'tensorTypes': {
      const { pattern, scheme } = idle.value;
      return tensorTypes.includes(idle.value) ? `--tensor-type ${pattern}=${scheme}` : undefined;
    }
    default:
      return `--${idle.option}`;
  }
}

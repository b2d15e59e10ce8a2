import { type Command, Option } from 'commander';
import { usage } from '../core/errors.ts';

/** A flag, or a flag with a value: `--verify`, `--device webgpu`. */
type Condition = string;

/**
 * An option that declares where it has an effect. `assertScopes` checks command lines against these
 * declarations.
 */
export class ScopedOption extends Option {
  /** Formats of the targets that use it; undefined: all. */
  formats: readonly string[] | undefined;
  /** At least one of these has to be given beside it. */
  needed: readonly Condition[] = [];
  /** Conditions that exclude it, and why. */
  readonly excluded = new Map<Condition, string>();
  /** A condition that leaves it without effect, as users expect. */
  idle: Condition | undefined;

  forTargets(formats: readonly string[]): this {
    this.formats = formats;
    return this;
  }

  needs(...conditions: Condition[]): this {
    this.needed = conditions;
    return this;
  }

  notWith(condition: Condition, why: string): this {
    this.excluded.set(condition, why);
    return this;
  }

  idleWith(condition: Condition): this {
    this.idle = condition;
    return this;
  }
}

/**
 * Throws `usage` for an option that has no effect beside the others of its command line. Returns notes on
 * those that have none on some targets, or none by design.
 */
export function assertScopes(command: Command): string[] {
  const given = command.options.filter(
    (option): option is ScopedOption => option instanceof ScopedOption && holds(command, option.long!),
  );
  for (const { long, needed, excluded } of given) {
    if (needed.length > 0 && !needed.some((condition) => holds(command, condition))) {
      throw usage(
        `${long} does nothing without ${needed.join(' or ')}: add ${needed.length > 1 ? 'one of them' : 'it'}, or leave out ${long}`,
      );
    }
    for (const [condition, why] of excluded) {
      if (holds(command, condition)) throw usage(`${long} cannot be combined with ${condition}: ${why}`);
    }
  }
  return [...targetNotes(command, given), ...idleNotes(command, given)];
}

/** Whether a flag is given, or has a value by default as well. */
function holds(command: Command, condition: Condition): boolean {
  const [flag, value] = condition.split(' ');
  const name = command.options.find(({ long }) => long === flag)!.attributeName();
  const current: unknown = command.getOptionValue(name);
  if (value !== undefined) return String(current) === value;
  return current !== undefined && current !== false && command.getOptionValueSource(name) !== 'default';
}

function targetNotes(command: Command, given: readonly ScopedOption[]): string[] {
  const targets: string[] = [command.getOptionValue('to') ?? []].flat();
  return given.flatMap(({ long, formats }) => {
    if (formats === undefined || targets.length === 0) return [];
    const others = targets.filter((target) => !formats.some((format) => target.startsWith(`${format}:`)));
    if (others.length === targets.length) {
      const expected = formats.map((format) => `--to ${format}:…`).join(' or ');
      throw usage(`${long} is for ${formats.join(' and ')} targets`, expected);
    }
    return others.length === 0
      ? []
      : [`${long} is for ${formats.join(' and ')} targets, not for ${others.join(', ')}`];
  });
}

function idleNotes(command: Command, given: readonly ScopedOption[]): string[] {
  const idle = given.filter((option) => option.idle !== undefined && holds(command, option.idle));
  return idle.map((option) => `${option.long} does nothing with ${option.idle}`);
}

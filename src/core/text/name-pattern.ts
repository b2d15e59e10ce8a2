import { RE2JS, RE2JSException } from 're2js';
import { printable, usage } from '../errors.ts';

/** Patterns of people have tens of characters, and those that name tensors exactly fewer than 100. */
const MAX_LENGTH = 1000;
/** Of a pattern in a message, whose line is limited. */
const MAX_SHOWN = 60;
/** The deepest model has 5,120 matrices, each with an exact name of some 30 steps. */
const MAX_STEPS = 250_000;

/**
 * Regular expressions that are searched for in names of tensors, in any case, and what the names mean.
 * Patterns come from files too, so RE2's syntax and engine take them: its time is proportional to pattern and
 * name, whatever the pattern. It has no look-around and no back-references.
 */
export class PatternList<T> {
  readonly #entries: (readonly [pattern: RE2JS, value: T])[] = [];
  /** Indices of entries that were the first to match. */
  readonly #used = new Set<number>();

  /**
   * @throws PressError usage for what is not a regular expression of RE2, and for patterns that are too
   * large.
   */
  constructor(entries: Iterable<readonly [pattern: string, value: T]>) {
    let steps = 0;
    for (const [source, value] of entries) {
      const pattern = compile(source);
      steps += pattern.programSize();
      if (steps > MAX_STEPS) throw usage('too many patterns', `at most ${MAX_STEPS} steps of RE2 in all`);
      this.#entries.push([pattern, value]);
    }
  }

  /** The value of the first pattern that matches one of the names; undefined where none does. */
  find(...names: readonly string[]): T | undefined {
    const index = this.#entries.findIndex(([pattern]) => names.some((name) => pattern.test(name)));
    if (index < 0) return undefined;
    this.#used.add(index);
    return this.#entries[index]![1];
  }

  /** Whether the entry at `index` has been what `find` returned. */
  isUsed(index: number): boolean {
    return this.#used.has(index);
  }
}

function compile(source: string): RE2JS {
  const shown = printable(JSON.stringify(source), MAX_SHOWN);
  if (source.length > MAX_LENGTH) throw usage(`${shown} is too long`, `at most ${MAX_LENGTH} characters`);
  try {
    return RE2JS.compile(source, RE2JS.CASE_INSENSITIVE);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    // The message repeats the pattern.
    const [, reason] = /^error parsing regexp: ([^:]*)/.exec(error.message) ?? [];
    const expected = 'the syntax of RE2, which has no look-around and no back-references';
    throw usage(`${shown} is not a regular expression: ${reason ?? error.message}`, expected);
  }
}

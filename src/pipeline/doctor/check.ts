import type { Failure } from '../../core/errors.ts';

/** One thing that was looked at, in words without paths of the user or names of the machine. */
export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'note' | 'problem';
  readonly found: string;
  /** What to do. */
  readonly advice?: string;
  /** The failure of a job that meets this problem. */
  readonly failure?: Failure;
}

export function ok(name: string, found: string): Check {
  return { name, state: 'ok', found };
}

/** Nothing is wrong, but something is missing that some want. */
export function note(name: string, found: string, advice: string): Check {
  return { name, state: 'note', found, advice };
}

/** Conversions fail. */
export function problem(name: string, failure: Failure, found: string, advice: string): Check {
  return { name, state: 'problem', found, advice, failure };
}

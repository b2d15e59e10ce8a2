import type { Failure } from '../../src/core/errors.ts';
import type { Dice } from '../support/builders/dice.ts';

/** Files of a folder by name. A single file is a folder of one. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** Changes bytes, and may keep them well-formed; undefined where what was drawn has no place in them. */
export type Mutator = (bytes: Uint8Array, dice: Dice) => Mutation | undefined;

export interface Mutation {
  readonly bytes: Uint8Array;
  /** What was done, for people. */
  readonly change: string;
}

/** A kind of input. */
export interface Target {
  readonly name: string;
  /** Cases of a run of the tests: some ten seconds of processor time. */
  readonly cases: number;
  /** What opening may end with beside invalid-input and unsupported. */
  readonly failures?: readonly Failure[];
  /** Prepares what all cases share. */
  setUp(): Promise<Subject>;
}

/** A target that is ready. */
export interface Subject {
  /** Valid inputs, which cases start from. */
  readonly seeds: readonly Files[];
  /** How a file is changed, by its name. */
  mutatorOf(name: string): Mutator;
  /** Lets other files follow a change, as whoever forges them would. */
  follow?(files: Files, dice: Dice): Files;
  /**
   * Opens an input, uses all that it gives, and closes it. Throws a PressError where the input is refused
   * when it is opened, and any other error where what was opened breaks a promise.
   */
  open(files: Files): Promise<void>;
  /** Removes what was prepared, and throws where cases have left something behind. */
  tearDown?(): void;
}

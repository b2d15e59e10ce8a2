/** What a worker is asked to do: cases `first`, `first + 1`, … of a target. */
export interface FuzzJob {
  readonly target: string;
  readonly seed: number;
  readonly first: number;
  /** Most cases. */
  readonly cases: number;
  /** Most seconds. */
  readonly seconds: number;
  /** The case that is being opened, for who watches the worker. */
  readonly progress: Int32Array;
}

export interface FuzzFailure {
  readonly case: number;
  /** What went wrong. */
  readonly what: string;
  /** What makes the input differ from a valid one. */
  readonly changes: readonly string[];
}

/** What has come of it. */
export interface FuzzResult {
  readonly cases: number;
  readonly seconds: number;
  /** Cases by how they have ended. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Messages that differ in more than names and numbers. */
  readonly messages: ReadonlySet<string>;
  /** The first of each kind. */
  readonly failures: readonly FuzzFailure[];
}

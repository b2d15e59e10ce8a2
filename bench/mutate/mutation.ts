import { readFileSync } from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../../test/support/paths.ts';

/** A slip that somebody could make, and the tests that fail where it is made. */
export interface Mutation {
  /** Source file, relative to the repository. */
  readonly file: string;
  /** Text that the file has once. */
  readonly from: string;
  /** What stands there instead. */
  readonly to: string;
  /** What is wrong then. */
  readonly breaks: string;
  /** Test files, relative to `test` and without `.test.ts`, fastest first. One of them has to fail. */
  readonly tests: readonly string[];
}

/** The source file with its slip. Throws where the text to be replaced is not there once. */
export function mutated({ file, from, to }: Mutation): string {
  const parts = readFileSync(path.join(repoRoot, file), 'utf8').split(from);
  if (parts.length !== 2)
    throw new Error(`${file}: ${JSON.stringify(from)} is there ${parts.length - 1} times, expected once`);
  return parts.join(to);
}

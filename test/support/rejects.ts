import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { EXIT_CODES, type Failure, PressError } from '../../src/core/errors.ts';
import { guardTime } from './drivers/guard-time.ts';

export interface Rejection {
  readonly message: RegExp;
  /** Left out for `invalid-input`, exit code 3. */
  readonly failure?: Failure;
}

/**
 * Asserts that `open` fails with one printable line and the right exit code, in time, and leaves things as
 * they were: every entry of `folder` unchanged, no entry added, no file left open.
 */
export async function assertRejects(folder: string, open: () => unknown, expected: Rejection): Promise<void> {
  const before = snapshot(folder);
  const opened = openFiles();
  const assertLinear = guardTime();
  await assert.rejects(
    async () => open(),
    (error) => {
      if (!(error instanceof PressError)) throw error;
      assert.match(error.message, expected.message);
      assert.match(error.message, /^[\x20-\x7e…]{1,300}$/u, 'one printable line');
      const failure = expected.failure ?? 'invalid-input';
      assert.deepEqual([error.failure, error.exitCode], [failure, EXIT_CODES[failure]]);
      return true;
    },
  );
  assertLinear();
  assert.deepEqual(snapshot(folder), before);
  assert.equal(openFiles(), opened, 'files left open');
}

/** Kind, size, time of modification and digest of every entry. */
function snapshot(folder: string): Record<string, unknown> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => {
      const file = path.join(folder, name);
      const { mode, size, mtimeMs } = lstatSync(file);
      const isFile = lstatSync(file).isFile();
      const digest = isFile ? createHash('sha256').update(readFileSync(file)).digest('hex') : undefined;
      return [name, { mode, size, mtimeMs, digest }];
    }),
  );
}

/** Number of descriptors of this process that lead to files; 0 where the system does not list them. */
function openFiles(): number {
  const list = '/proc/self/fd';
  return existsSync(list) ? readdirSync(list).length : 0;
}

import assert from 'node:assert/strict';
import fs, { type FileHandle } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { setBuiltin } from './fakes/set-builtin.ts';
import { pressFailure } from './press-failure.ts';

/** Until the test ends, `change` gets the handle of every file that is opened. */
export function changeHandles(t: TestContext, change: (handle: FileHandle) => void): void {
  const { open } = fs;
  setBuiltin(t, fs, 'open', async (...call) => {
    const handle = await open(...call);
    change(handle);
    return handle;
  });
}

/** What a disk says that fails. */
export function diskFailure(): Error {
  return Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
}

/**
 * Runs again and again, while the first, the second, … closing of a file fails once the file is closed, as on
 * a network drive that tells so late of a write; until a run closes fewer files. Not by strace: most of what
 * a process closes is Node's own. A run that fails must tell. Returns how many did.
 */
export async function failEveryClose(
  t: TestContext,
  run: (nth: number) => Promise<unknown>,
  after: (error: unknown, nth: number) => Promise<void>,
): Promise<number> {
  let [failing, count, told] = [0, 0, 0];
  changeHandles(t, (handle) => {
    const { close } = handle;
    handle.close = async () => {
      await close();
      count += 1;
      if (count === failing) throw diskFailure();
    };
  });
  for (let nth = 1; ; nth++) {
    [failing, count] = [nth, 0];
    const error: unknown = await run(nth).then(
      () => undefined,
      (error) => error,
    );
    failing = 0;
    if (count < nth) {
      assert.ifError(error);
      return told;
    }
    if (error !== undefined) {
      pressFailure('local-io', /input\/output error/)(error);
      told += 1;
    }
    await after(error, nth);
  }
}

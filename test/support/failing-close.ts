import fs from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { setBuiltin } from './set-builtin.ts';

/** Of the files that are closed, one that fails. */
export interface FailingClose {
  /** The number of it, counted from 1. */
  nth: number;
  /** How many files have been closed. */
  count: number;
}

/**
 * Has one closing of a file fail with EIO until the test ends, once the file is closed, as on a network drive that tells so
 * late of a write. Not by strace: most of what a process closes is Node's own.
 */
export function failingClose(t: TestContext): FailingClose {
  const state: FailingClose = { nth: Number.POSITIVE_INFINITY, count: 0 };
  const { open } = fs;
  setBuiltin(t, fs, 'open', async (...call) => {
    const handle = await open(...call);
    const { close } = handle;
    handle.close = async () => {
      await close();
      state.count += 1;
      if (state.count === state.nth) throw Object.assign(new Error('EIO: i/o error, close'), { code: 'EIO' });
    };
    return handle;
  });
  return state;
}

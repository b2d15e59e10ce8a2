import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Why system calls cannot be made to fail here; false where they can. */
export const NO_FAULTS: string | false =
  spawnSync('strace', ['-f', '-qq', '-o', os.devNull, 'true']).status !== 0 &&
  'strace is not installed or not allowed: no system call is made to fail';

/** What a conversion asks of the system, and the calls by which Node does it. `?` marks calls not of every machine. */
const CALLS = {
  write: 'pwrite64',
  truncate: 'ftruncate',
  sync: 'fsync',
  rename: '?rename,renameat,renameat2',
  remove: '?unlink,unlinkat',
  'make folder': '?mkdir,mkdirat',
} as const;

/** What happens instead of a system call. */
export interface Fault {
  readonly call: keyof typeof CALLS;
  readonly action: 'signal=KILL' | 'error=ENOSPC' | 'error=EIO';
}

export interface FaultyRun {
  /** Whether the run came as far as the call. */
  readonly hit: boolean;
  /** Exit status; null where the process was killed. */
  readonly status: number | null;
  readonly stderr: string;
}

/** Runs a script of Node with fault number `nth` of its kind, counted from 1. */
export function runWithFault(script: readonly string[], { call, action }: Fault, nth: number): FaultyRun {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plmpress-fault-'));
  const log = path.join(folder, 'log');
  try {
    const inject = `inject=${CALLS[call]}:${action}:when=${nth}`;
    const options = ['-f', '-qq', '-o', log, '-e', `trace=${CALLS[call]}`, '-e', inject];
    const { status, stderr } = spawnSync('strace', [...options, process.execPath, ...script], {
      encoding: 'utf8',
      // strace counts for each thread; with one thread for files, a number means the same call in every run.
      env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    });
    const hit = /\(INJECTED\)|killed by SIGKILL/.test(readFileSync(log, 'utf8'));
    return { hit, status, stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Most calls of one kind that a test walks through; more means that runs do not end. */
const MAX_CALLS = 200;

/** Fails call after call until a run ends without the fault; then every call has failed once. Returns their number. */
export async function failEveryCall(
  script: readonly string[],
  fault: Fault,
  { before, after }: { readonly before: () => void; readonly after: (run: FaultyRun) => Promise<void> },
): Promise<number> {
  for (let nth = 1; nth <= MAX_CALLS; nth++) {
    before();
    const run = runWithFault(script, fault, nth);
    if (!run.hit) return nth - 1;
    await after(run);
  }
  throw new Error(`${fault.call} is still called after ${MAX_CALLS} faults`);
}

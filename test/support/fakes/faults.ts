import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bundledScript } from '../drivers/bundled-script.ts';

/** Why system calls cannot be made to fail here; false where they can. */
export const NO_FAULTS: string | false =
  spawnSync('strace', ['-f', '-qq', '-o', os.devNull, 'true']).status !== 0 &&
  'strace is not installed or not allowed: no system call is made to fail';

/**
 * What a conversion asks of the system, and the calls by which Node does it. `?` marks calls not of every
 * machine.
 */
const CALLS = {
  write: 'pwrite64',
  truncate: 'ftruncate',
  sync: 'fsync',
  rename: '?rename,renameat,renameat2',
  remove: '?unlink,unlinkat',
  'make folder': '?mkdir,mkdirat',
  'make link': '?symlink,symlinkat',
} as const;

/** What happens instead of a system call. */
export interface Fault {
  readonly call: keyof typeof CALLS;
  readonly action: 'signal=KILL' | 'signal=INT' | 'error=ENOSPC' | 'error=EIO' | 'error=EACCES';
}

/** The path of a compiled script, then its arguments. */
export type Script = readonly [file: string, ...argv: string[]];

export interface FaultyRun {
  /** Whether the run came as far as the call. */
  readonly hit: boolean;
  /** Exit status; null where the process was killed. */
  readonly status: number | null;
  readonly stderr: string;
}

/** Runs a script with fault number `nth` of its kind, counted from 1. */
export async function runWithFault(script: Script, { call, action }: Fault, nth: number): Promise<FaultyRun> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plmpress-fault-'));
  const log = path.join(folder, 'log');
  try {
    const inject = `inject=${CALLS[call]}:${action}:when=${nth}`;
    const options = ['-f', '-qq', '-o', log, '-e', `trace=${CALLS[call]}`, '-e', inject];
    const [file, ...argv] = script;
    const command = [process.execPath, await bundledScript(file), ...argv];
    const { status, stderr } = await execute('strace', [...options, ...command]);
    const hit = /\(INJECTED\)|killed by SIGKILL|--- SIGINT/.test(readFileSync(log, 'utf8'));
    return { hit, status, stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function execute(command: string, argv: readonly string[]): Promise<Omit<FaultyRun, 'hit'>> {
  const child = spawn(command, argv, {
    stdio: ['ignore', 'ignore', 'pipe'],
    // strace counts for each thread; with one thread for files, a number means the same call in every run.
    // Reports of coverage would be calls as well.
    env: { ...process.env, UV_THREADPOOL_SIZE: '1', NODE_V8_COVERAGE: undefined },
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stderr }));
  });
}

/** Most calls of one kind that a test walks through; more means that runs do not end. */
const MAX_CALLS = 200;

/**
 * Fails call after call until a run ends without the fault; then every call has failed once, or one of each
 * `step`. Returns the number of calls.
 */
export async function failEveryCall(
  script: Script,
  fault: Fault,
  {
    before,
    after,
    step = 1,
  }: {
    readonly before: () => void;
    readonly after: (run: FaultyRun) => Promise<void>;
    readonly step?: number;
  },
): Promise<number> {
  for (let nth = 1; nth <= MAX_CALLS; nth += step) {
    before();
    const run = await runWithFault(script, fault, nth);
    if (!run.hit) return nth - 1;
    await after(run);
  }
  throw new Error(`${fault.call} is still called after ${MAX_CALLS} faults`);
}

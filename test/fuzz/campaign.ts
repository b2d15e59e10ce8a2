import { Worker } from 'node:worker_threads';
import type { FuzzFailure, FuzzJob, FuzzResult } from './job.ts';

/**
 * Seconds of processor time that one input may take. What takes a millisecond otherwise does not come near.
 */
const MAX_SECONDS = 10;
/** Milliseconds between two looks at a worker. */
const WATCH = 500;
/** Heap of a worker, so that one input that fills the memory ends the worker and not the machine. */
const MAX_HEAP_MIB = 384;

export type Campaign = Omit<FuzzJob, 'progress'>;

/** Runs cases in a thread of its own, which ends where a case hangs or takes more memory than there is. */
export async function runCampaign(campaign: Campaign): Promise<FuzzResult> {
  const progress = new Int32Array(new SharedArrayBuffer(4)).fill(campaign.first);
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: { ...campaign, progress } satisfies FuzzJob,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
  });
  return new Promise((resolve) => {
    const fail = (what: string) => {
      clearInterval(watch);
      const failure: FuzzFailure = { case: progress[0]!, what, changes: [] };
      const cases = progress[0]! - campaign.first + 1;
      resolve({ cases, seconds: 0, outcomes: new Map(), messages: new Set(), failures: [failure] });
    };
    const watch = watchProgress(progress, () => {
      void worker.terminate();
      fail(`takes more than ${MAX_SECONDS} s`);
    });
    worker.on('error', (error) => fail(error.stack ?? String(error)));
    worker.on('message', (result: FuzzResult) => {
      clearInterval(watch);
      resolve(result);
    });
  });
}

/**
 * Calls `onHang` where a case takes too much of the processor. This thread waits, so the time of the process
 * is the worker's.
 */
function watchProgress(progress: Int32Array, onHang: () => void): NodeJS.Timeout {
  let [last, since] = [-1, process.cpuUsage()];
  return setInterval(() => {
    const now = Atomics.load(progress, 0);
    if (now !== last) [last, since] = [now, process.cpuUsage()];
    const { user, system } = process.cpuUsage(since);
    if ((user + system) / 1e6 > MAX_SECONDS) onHang();
  }, WATCH);
}

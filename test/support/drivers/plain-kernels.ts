import type { TestContext } from 'node:test';
import { Compute, openCompute } from '../../../src/kernels/compute.ts';
import {
  type Job,
  type JobFields,
  KERNELS,
  type KernelInfo,
  type KernelName,
} from '../../../src/kernels/jobs.ts';
import { scratchOf } from '../../../src/kernels/layout.ts';
import { PLAIN_KERNELS } from '../oracles/kernels/index.ts';

/** Runs a job in the memory of `compute` by the oracle of its kernel. */
export function runPlain<K extends KernelName>(compute: Compute, kernel: K, job: Job<K>): void {
  const { tiles } = KERNELS[kernel] as KernelInfo;
  const thread = { views: compute, scratch: scratchOf(0) };
  PLAIN_KERNELS[kernel](thread, job, { first: 0, end: tiles(job as JobFields) });
}

/** A memory whose jobs are run by the oracles. */
export async function openPlain(bytes: number): Promise<Compute> {
  const compute = await openCompute({ threads: 1, bytes });
  compute.run = (kernel, job) => runPlain(compute, kernel, job);
  return compute;
}

/** Until `t` ends, the oracles run in place of the kernels of WebAssembly. */
export function usePlainKernels(t: TestContext): void {
  const run = function <K extends KernelName>(this: Compute, kernel: K, job: Job<K>): void {
    runPlain(this, kernel, job);
  };
  t.mock.method(Compute.prototype, 'run', run);
  t.mock.method(
    Compute.prototype,
    'runInTurns',
    async function (this: Compute, ...args: Parameters<typeof run>) {
      run.apply(this, args);
    },
  );
}

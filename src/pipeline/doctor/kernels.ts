import { PressError } from '../../core/errors.ts';
import { openCompute } from '../../kernels/compute.ts';
import { type Check, ok, problem } from './check.ts';

const NAME = 'WebAssembly';

/** Compiles the kernels, reserves shared memory and starts a second thread, as every conversion does. */
export async function checkKernels(): Promise<Check> {
  try {
    const compute = await openCompute({ threads: 2, bytes: 1 << 20 });
    await compute.close();
    return ok(NAME, 'SIMD, shared memory and threads');
  } catch (error) {
    const failure = error instanceof PressError ? error.failure : 'unsupported';
    const advice = 'remove limits on address space (`ulimit -v`) and threads, and flags of Node.js';
    return problem(NAME, failure, String((error as Error).message), advice);
  }
}

import { PressError } from '../../core/errors.ts';
import { openCompute } from '../../kernels/compute.ts';
import { type Check, note, ok, problem } from './check.ts';

const NAME = 'WebAssembly';

/** Compiles the kernels, reserves shared memory and starts a second thread, as every conversion does. */
export async function checkKernels(): Promise<Check> {
  try {
    const compute = await openCompute({ threads: 2, bytes: 1 << 20 });
    const { implementation } = compute;
    await compute.close();
    if (implementation === 'wasm') return ok(NAME, 'SIMD, shared memory and threads');
    const advice =
      'the bytes are the same, but conversion is many times slower; use a processor with 128-bit SIMD';
    return note(NAME, 'no SIMD', advice);
  } catch (error) {
    const failure = error instanceof PressError ? error.failure : 'unsupported';
    const advice = 'remove limits on address space (`ulimit -v`) and threads, and flags of Node.js';
    return problem(NAME, failure, String((error as Error).message), advice);
  }
}

import { elementCount, type Tensor } from '../core/tensor.ts';
import { machine } from './machine.ts';

/** Memory of every thread but the first: stack, heap, code and scratch. Measured: 9 MB. */
export const THREAD_BYTES = 10 << 20;
/**
 * Address space of a thread: most of it is where V8 may put code. Measured: 595 MB. V8 ends the process where
 * it gets none.
 */
export const THREAD_ADDRESS_BYTES = 640 << 20;
/** V8 guards a WebAssembly memory by pages on both sides: 10 GiB of address space, whatever it holds. */
const MEMORY_ADDRESS_BYTES = 10 * 2 ** 30;
/**
 * Part of the memory that threads may take by default: the rest is for weights and chunks, and `verify` runs
 * two models.
 */
const THREADS_SHARE = 1 / 8;
/** To start a thread takes as long as to convert some 200,000 weights. */
const WEIGHTS_PER_THREAD = 1 << 18;

/**
 * Default number of threads for jobs over `tensors`: limited by the cores, the memory and the amount of work.
 */
export function defaultThreads(tensors: Iterable<Pick<Tensor, 'shape'>>): number {
  let weights = 0;
  for (const tensor of tensors) weights += elementCount(tensor);
  const { cores, memory, addressSpace } = machine();
  return Math.max(
    1,
    Math.min(
      cores,
      1 + Math.floor((memory * THREADS_SHARE) / THREAD_BYTES),
      1 + Math.max(0, Math.floor((addressSpace - MEMORY_ADDRESS_BYTES) / 2 / THREAD_ADDRESS_BYTES)),
      Math.ceil(weights / WEIGHTS_PER_THREAD),
    ),
  );
}

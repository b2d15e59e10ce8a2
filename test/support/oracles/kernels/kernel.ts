import type { Job, KernelName } from '../../../../src/kernels/jobs.ts';
import type { Pointer, SharedViews } from '../../../../src/kernels/memory.ts';

/** What a thread owns while it computes: the shared memory and its scratch area. */
export interface PlainThread {
  readonly views: SharedViews;
  readonly scratch: Pointer;
}

export interface TileRange {
  readonly first: number;
  readonly end: number;
}

/**
 * The oracle of a WebAssembly kernel, written to be read: the same operations in the same order, so the same
 * bits. `Math.fround` stands wherever the kernel rounds to f32.
 */
export type PlainKernel<K extends KernelName> = (thread: PlainThread, job: Job<K>, tiles: TileRange) => void;

import { ALIGNMENT } from '../kernels/layout.ts';
import type { Pointer } from '../kernels/memory.ts';

/** Hands out areas of the shared memory. `Compute` is one. */
export interface Allocator {
  alloc(bytes: number): Pointer;
}

/**
 * Learns how much a sequence of requests takes, before there is memory to give; or gives parts of an area
 * that begins at `start` and is large enough.
 */
export class AreaCounter implements Allocator {
  bytes = 0;
  readonly #start: Pointer;

  constructor(start: Pointer = 0) {
    this.#start = start;
  }

  alloc(bytes: number): Pointer {
    const pointer = this.#start + this.bytes;
    this.bytes += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return pointer;
  }
}

export function allocFloats(allocator: Allocator, count: number): Pointer {
  return allocator.alloc(4 * count);
}

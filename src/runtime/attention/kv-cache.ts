import type { Pointer } from '../../kernels/memory.ts';
import { type Allocator, allocFloats } from '../allocator.ts';
import type { Vectors } from '../batch.ts';

export interface KvCacheSize {
  readonly layers: number;
  readonly positions: number;
  /** f32 elements per position and layer. */
  readonly width: number;
}

/**
 * One vector per layer and position; a cache of one layer serves all, one after the other. Which positions
 * are filled is known to the runtime alone.
 */
export class KvCache {
  readonly #layers: readonly Pointer[];
  readonly #width: number;

  constructor({ layers, positions, width }: KvCacheSize, allocator: Allocator) {
    this.#layers = Array.from({ length: layers }, () => allocFloats(allocator, positions * width));
    this.#width = width;
  }

  /** Vectors of a layer from `position` on. */
  vectors(layer: number, position: number): Vectors {
    const pointer = this.#layers[layer % this.#layers.length]!;
    return { pointer: pointer + 4 * position * this.#width, stride: this.#width };
  }
}

import type { Compute } from '../kernels/compute.ts';
import type { Pointer } from '../kernels/memory.ts';
import type { Site } from './site.ts';

/** New positions on their way through the layers. */
export interface Batch {
  readonly compute: Compute;
  readonly tokens: number;
  /** Position of the first token. */
  readonly position: number;
  /** Sums up what the matrices are multiplied with; left out where nobody asks. */
  readonly sums?: InputSums | undefined;
}

/**
 * f32 vectors, one per token or one per token and head; of stride 0, one for all tokens. Strides count
 * elements.
 */
export interface Vectors {
  readonly pointer: Pointer;
  readonly stride: number;
  /** Left out: one vector per token, which all heads share. */
  readonly headStride?: number;
}

/** Takes what the matrices of one layer are multiplied with. */
export interface InputSums {
  add(batch: Batch, site: Site, x: Vectors): void;
  /** Of the head. */
  addHead(batch: Batch, x: Vectors): void;
}

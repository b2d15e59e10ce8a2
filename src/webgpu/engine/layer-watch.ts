import type { Dispatch } from './dispatch.ts';

/** Dispatches between those of a layer, which look at the activations of a batch. */
export interface LayerWatch {
  /** Before o_proj adds to the residual stream. */
  readonly attended: readonly Promise<Dispatch>[];
  /** After up_proj. */
  readonly activated: readonly Promise<Dispatch>[];
  /** What down_proj adds to, without its bias, in place of the residual stream. */
  readonly update: GPUBuffer;
  /** Adds it there. */
  readonly updated: readonly Promise<Dispatch>[];
}

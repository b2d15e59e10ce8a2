import type { Dispatch } from './dispatch.ts';
import type { LayerWeights } from './layer-weights.ts';
import type { AttentionShape } from './shaders.ts';

/** Buffers between kernels. */
export interface Activations {
  /** The residual stream. */
  readonly hidden: GPUBuffer;
  /** What is made of the normed input. */
  readonly projected: GPUBuffer;
  /** Output of q_b_proj; of no use where q_proj is a full matrix. */
  readonly queried: GPUBuffer;
  /** Absorbed queries. */
  readonly queries: GPUBuffer;
  readonly ranges: GPUBuffer;
  readonly attended: GPUBuffer;
  /** Squared ReLU of a batch; of one token, the neurons that fire. */
  readonly activations: GPUBuffer;
  readonly counts: GPUBuffer;
}

/**
 * Looks at the activations of batches. A pass with a watch takes single tokens as batches too, and has no
 * head.
 */
export interface PassWatch {
  layer(seen: SeenLayer): LayerWatch;
  /** What comes after all layers; `gamma` is of the norm before the head. */
  end(seen: SeenPass, gamma: GPUBuffer): readonly Promise<Dispatch>[];
}

export interface SeenPass {
  readonly activations: Activations;
  readonly hiddenStride: number;
  readonly shape: AttentionShape;
}

export interface SeenLayer extends SeenPass {
  readonly layer: number;
  readonly weights: LayerWeights;
}

/** Dispatches between those of a layer. */
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

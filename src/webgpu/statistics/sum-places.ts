import type { BundleModel } from '../manifest.ts';

/** Words of a buffer, of 4 bytes. */
export interface Run {
  readonly first: number;
  readonly count: number;
}

/**
 * Of squares by channel, heads one after another; but the last two are sums of activations, and a bit a
 * token, the first lowest, where a neuron fires.
 */
export type LayerSums = Readonly<
  Record<
    | 'input'
    | 'latent'
    | 'query'
    | 'context'
    | 'attended'
    | 'ffn'
    | 'activations'
    | 'ffnOutput'
    | 'activationSums'
    | 'fired',
    Run
  >
>;

/** Where the sums of one batch lie: all f32, but for `fired`, which are u32. */
export interface SumPlaces {
  readonly layers: readonly LayerSums[];
  /** Of squares of what the head is multiplied with. */
  readonly head: Run;
  /** Of all. */
  readonly words: number;
}

/** Bindings begin at multiples of 256 bytes. */
const STEP = 64;

export function sumPlaces(model: BundleModel): SumPlaces {
  const { hidden_size: hidden, kv_lora_rank: latent, num_attention_heads: heads } = model;
  let words = 0;
  const run = (count: number): Run => {
    const first = words;
    words += Math.ceil(count / STEP) * STEP;
    return { first, count };
  };
  const layers = model.intermediate_sizes.map((width) => ({
    input: run(hidden),
    latent: run(latent),
    query: run(heads * model.qk_nope_head_dim),
    context: run(heads * latent),
    attended: run(heads * model.v_head_dim),
    ffn: run(hidden),
    activations: run(width),
    ffnOutput: run(hidden),
    activationSums: run(width),
    fired: run(width),
  }));
  return { layers, head: run(hidden), words };
}

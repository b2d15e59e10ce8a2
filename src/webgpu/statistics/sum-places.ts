import type { BundleModel } from '../manifest.ts';

/** Words of a buffer, of 4 bytes. */
export interface Run {
  readonly first: number;
  readonly count: number;
}

/**
 * Where the sums of a layer over one batch lie: of squares by channel, heads one after another; but the last
 * two are sums of activations, and a bit a token, the first lowest, where a neuron fires. All are f32, but for
 * `fired`, which are u32.
 */
export type LayerPlaces = Readonly<
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

/** Where second moments can be summed up: sites of one vector per token, and the normed input of the head. */
export type MomentSite =
  | Exclude<keyof LayerPlaces, 'query' | 'context' | 'ffnOutput' | 'activationSums' | 'fired'>
  | 'head';

/** Bindings begin at multiples of 256 bytes. */
const STEP = 64;

/** Of a layer whose FFN has `width` neurons. */
export function layerPlaces(model: BundleModel, width: number): LayerPlaces {
  const { hidden_size: hidden, kv_lora_rank: latent, num_attention_heads: heads } = model;
  let words = 0;
  const run = (count: number): Run => {
    const first = words;
    words += Math.ceil(count / STEP) * STEP;
    return { first, count };
  };
  return {
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
  };
}

/** Of squares of what the head is multiplied with. */
export function headPlace({ hidden_size: count }: BundleModel): Run {
  return { first: 0, count };
}

/** Words that hold the sums of any layer. */
export function sumWords(model: BundleModel): number {
  const { fired } = layerPlaces(model, Math.max(...model.intermediate_sizes));
  return fired.first + fired.count;
}

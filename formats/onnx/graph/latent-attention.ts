import { qkHeadDim } from '../../../src/core/config.ts';
import {
  type Attention,
  type AttentionParts,
  addCache,
  addLatent,
  addQueries,
  addSplit,
  type LayerParts,
} from './attention.ts';
import { int, ints } from './builder.ts';
import { BATCH, SEQUENCE, SWAP_HEADS, TOTAL } from './inputs.ts';

/**
 * Widths of the two tensors that a layer's cache is cut into, c' and the rotated key part side by side.
 * Halves, for onnxruntime-genai takes no other than equal ones; the first is wider by one where they cannot
 * be.
 */
export function latentCacheWidths(config: { readonly kvLoraRank: number; readonly qkRopeHeadDim: number }) {
  const width = config.kvLoraRank + config.qkRopeHeadDim;
  return { key: Math.ceil(width / 2), value: Math.floor(width / 2) };
}

/**
 * Attention over the latent (DeepSeek-V2, arXiv 2405.04434, section 2.1.2): W_UK is a factor of queries, W_UV
 * of what they attend to, so that all heads share one key, of kv_lora_rank + qk_rope_head_dim. The heads of a
 * query are rows of one product, which reads the cache once.
 */
export class LatentAttention implements Attention {
  readonly #parts: AttentionParts;
  readonly #bias: string;

  constructor(parts: AttentionParts) {
    this.#parts = parts;
    this.#bias = parts.inputs.scoreBias(parts.type);
  }

  add(layer: number, x: string, part: LayerParts): string {
    const { graph, config, inputs, type, weights } = this.#parts;
    const { numAttentionHeads: heads, kvLoraRank, qkRopeHeadDim, vHeadDim, kvBForm } = config;
    const width = kvLoraRank + qkRopeHeadDim;
    const cut = latentCacheWidths(config);
    const at = (name: string) => `layers.${layer}/attention/${name}`;
    const queries = addQueries(this.#parts, at, x, part);
    const { latent, keyRope } = addLatent(this.#parts, at, x, part);

    const c = graph.add('Reshape', at('latent'), [latent, inputs.shape(BATCH, 1, SEQUENCE, kvLoraRank)]);
    const added = graph.add('Concat', at('added'), [c, keyRope], { attributes: { axis: int(3) } });
    const [addedKey, addedValue] = addSplit(graph, at('added'), added, [cut.key, cut.value]);
    const key = addCache(this.#parts, `${layer}.key`, addedKey!, { heads: 1, width: cut.key });
    const value = addCache(this.#parts, `${layer}.value`, addedValue!, { heads: 1, width: cut.value });

    const nope =
      kvBForm === 'split' ? weights.heads(at('k_b_proj'), queries.nope, part('k_b_proj')) : queries.nope;
    const query = graph.add('Concat', at('query'), [nope, queries.rope], { attributes: { axis: int(3) } });
    const scale = graph.scalar(type, 1 / Math.sqrt(qkHeadDim(config)));
    const scaled = graph.add('Mul', at('query_scaled'), [query, scale]);
    const rows = graph.add('Reshape', at('query_rows'), [scaled, graph.integers([0, 1, -1, width])]);
    const [forKey, forValue] = addSplit(graph, at('query'), rows, [cut.key, cut.value]);
    const partOf = (half: string, queryPart: string, cache: string) => {
      const transposed = graph.add('Transpose', at(`${half}_transposed`), [cache], {
        attributes: { perm: ints([0, 1, 3, 2]) },
      });
      return graph.add('MatMul', at(`${half}_scores`), [queryPart, transposed]);
    };
    const sum = graph.add('Add', at('scores'), [
      partOf('key', forKey!, key),
      partOf('value', forValue!, value),
    ]);
    const byHead = graph.add('Reshape', at('scores_by_head'), [sum, inputs.shape(BATCH, heads, -1, TOTAL)]);
    const masked = graph.add('Add', at('scores_masked'), [byHead, this.#bias]);
    const softmax = graph.add('Softmax', at('probabilities'), [masked], { attributes: { axis: int(-1) } });
    const weighed = graph.add('Reshape', at('probability_rows'), [
      softmax,
      inputs.shape(BATCH, 1, -1, TOTAL),
    ]);

    const context = this.#context(at, weighed, { key, value });
    const contextByHead = graph.add('Reshape', at('context_by_head'), [
      context,
      graph.integers([0, heads, -1, kvLoraRank]),
    ]);
    const isSplit = kvBForm === 'split';
    const attended = isSplit ? weights.heads(at('v_b_proj'), contextByHead, part('v_b_proj')) : contextByHead;
    const byToken = graph.add('Transpose', at('attended_by_token'), [attended], {
      attributes: SWAP_HEADS,
    });
    const attendedWidth = heads * (isSplit ? vHeadDim : kvLoraRank);
    const flat = graph.add('Reshape', at('attended'), [byToken, graph.integers([-1, attendedWidth])]);
    return weights.linear(at('o_proj'), flat, part('o_proj'));
  }

  /**
   * The latents that queries attend to, `[batch, 1, heads * sequence, kv_lora_rank]`: the cache without its
   * key part.
   */
  #context(at: (name: string) => string, weighed: string, cache: { key: string; value: string }): string {
    const { graph, config } = this.#parts;
    const { kvLoraRank } = config;
    const cut = latentCacheWidths(config);
    const first = (name: string, x: string, width: number) =>
      graph.add('Slice', at(name), [x, ...[[0], [width], [3]].map((list) => graph.integers(list))]);
    const ofKey = graph.add('MatMul', at('key_context'), [weighed, cache.key]);
    if (cut.key === kvLoraRank) return ofKey;
    if (cut.key > kvLoraRank) return first('context', ofKey, kvLoraRank);
    const ofValue = graph.add('MatMul', at('value_context'), [weighed, cache.value]);
    const rest = first('value_context_latent', ofValue, kvLoraRank - cut.key);
    return graph.add('Concat', at('context'), [ofKey, rest], { attributes: { axis: int(3) } });
  }
}

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
import { BATCH, SEQUENCE, SWAP_HEADS } from './inputs.ts';

/**
 * Attention over the keys and values of every head, as the model is defined; for runtimes that want caches by
 * the head.
 */
export class ExpandedAttention implements Attention {
  readonly #parts: AttentionParts;
  readonly #bias: string;

  constructor(parts: AttentionParts) {
    this.#parts = parts;
    this.#bias = parts.inputs.scoreBias(parts.type);
  }

  add(layer: number, x: string, part: LayerParts): string {
    const { graph, config, inputs, type, weights } = this.#parts;
    const { numAttentionHeads: heads, qkNopeHeadDim, qkRopeHeadDim, vHeadDim } = config;
    const at = (name: string) => `layers.${layer}/attention/${name}`;
    const byHead = (name: string, x: string) =>
      graph.add('Transpose', at(name), [x], { attributes: SWAP_HEADS });
    const queries = addQueries(this.#parts, at, x, part);
    const { latent, keyRope } = addLatent(this.#parts, at, x, part);

    const expanded = weights.linear(at('kv_b_proj'), latent, part('kv_b_proj'));
    const shape = inputs.shape(BATCH, SEQUENCE, heads, qkNopeHeadDim + vHeadDim);
    const kv = byHead('kv_by_head', graph.add('Reshape', at('kv_by_token'), [expanded, shape]));
    const [keyNope, addedValue] = addSplit(graph, at('kv'), kv, [qkNopeHeadDim, vHeadDim]);
    const shared = graph.add('Expand', at('k_rope_shared'), [
      keyRope,
      inputs.shape(BATCH, heads, SEQUENCE, qkRopeHeadDim),
    ]);
    const addedKey = graph.add('Concat', at('added_key'), [keyNope!, shared], {
      attributes: { axis: int(3) },
    });
    const key = addCache(this.#parts, `${layer}.key`, addedKey, { heads, width: qkHeadDim(config) });
    const value = addCache(this.#parts, `${layer}.value`, addedValue!, { heads, width: vHeadDim });

    const query = graph.add('Concat', at('query'), [queries.nope, queries.rope], {
      attributes: { axis: int(3) },
    });
    const scale = graph.scalar(type, 1 / Math.sqrt(qkHeadDim(config)));
    const scaled = graph.add('Mul', at('query_scaled'), [query, scale]);
    const transposed = graph.add('Transpose', at('key_transposed'), [key], {
      attributes: { perm: ints([0, 1, 3, 2]) },
    });
    const scores = graph.add('MatMul', at('scores'), [scaled, transposed]);
    const masked = graph.add('Add', at('scores_masked'), [scores, this.#bias]);
    const softmax = graph.add('Softmax', at('probabilities'), [masked], { attributes: { axis: int(-1) } });
    const attended = graph.add('MatMul', at('attended_by_head'), [softmax, value]);
    const flat = graph.add('Reshape', at('attended'), [
      byHead('attended_by_token', attended),
      graph.integers([-1, heads * vHeadDim]),
    ]);
    return weights.linear(at('o_proj'), flat, part('o_proj'));
  }
}

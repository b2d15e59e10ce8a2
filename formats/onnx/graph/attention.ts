import type { PlmConfig } from '../../../src/core/config.ts';
import { queryNopeDim } from '../../../src/core/config.ts';
import type { LayerRole } from '../../../src/core/names.ts';
import type { Tensor } from '../../../src/core/tensor.ts';
import type { Weights } from '../weights/weights.ts';
import { type FloatType, type GraphBuilder, int } from './builder.ts';
import { BATCH, type GraphInputs, PAST, SEQUENCE, SWAP_HEADS, TOTAL } from './inputs.ts';
import type { RmsNorm } from './rms-norm.ts';
import { addRope, type RopeTables } from './rope.ts';

/** What an attention is built of and with. */
export interface AttentionParts {
  readonly graph: GraphBuilder;
  readonly config: PlmConfig;
  readonly inputs: GraphInputs;
  readonly norm: RmsNorm;
  readonly type: FloatType;
  readonly weights: Weights;
  readonly rope: RopeTables;
}

/** Tensors of a layer. */
export type LayerParts = (role: LayerRole) => Tensor;

/** Attention of one layer after the other: `[n, hidden]` to `[n, hidden]`. */
export interface Attention {
  add(layer: number, x: string, part: LayerParts): string;
}

/** Queries `[batch, heads, sequence, …]`: their rope parts rotated. */
export function addQueries(
  parts: AttentionParts,
  at: (name: string) => string,
  x: string,
  part: LayerParts,
): { readonly nope: string; readonly rope: string } {
  const { graph, config, inputs, norm, weights } = parts;
  const { numAttentionHeads: heads, qkRopeHeadDim } = config;
  const nopeDim = queryNopeDim(config);
  let q: string;
  if (config.qLoraRank === undefined) q = weights.linear(at('q_proj'), x, part('q_proj'));
  else {
    const low = weights.linear(at('q_a_proj'), x, part('q_a_proj'));
    const normed = norm.of(at('q_a_layernorm'), low, weights.vector(part('q_a_layernorm')));
    q = weights.linear(at('q_b_proj'), normed, part('q_b_proj'));
  }
  const shape = inputs.shape(BATCH, SEQUENCE, heads, nopeDim + qkRopeHeadDim);
  const byToken = graph.add('Reshape', at('q_by_token'), [q, shape]);
  const byHead = graph.add('Transpose', at('q_by_head'), [byToken], { attributes: SWAP_HEADS });
  const [nope, rope] = addSplit(graph, at('q'), byHead, [nopeDim, qkRopeHeadDim]);
  return { nope: nope!, rope: addRope(graph, at('q_rotated'), rope!, parts) };
}

/**
 * c', the normed latent `[n, kv_lora_rank]`, and the rotated key part
 * `[batch, 1, sequence, qk_rope_head_dim]`.
 */
export function addLatent(
  parts: AttentionParts,
  at: (name: string) => string,
  x: string,
  part: LayerParts,
): { readonly latent: string; readonly keyRope: string } {
  const { graph, config, inputs, norm, weights } = parts;
  const { kvLoraRank, qkRopeHeadDim } = config;
  const kv = weights.linear(at('kv_a_proj'), x, part('kv_a_proj_with_mqa'));
  const [compressed, rope] = addSplit(graph, at('kv_a'), kv, [kvLoraRank, qkRopeHeadDim]);
  const latent = norm.of(at('kv_a_layernorm'), compressed!, weights.vector(part('kv_a_layernorm')));
  // One head: its sequence may as well come before it.
  const key = graph.add('Reshape', at('k_rope'), [rope!, inputs.shape(BATCH, 1, SEQUENCE, qkRopeHeadDim)]);
  return { latent, keyRope: addRope(graph, at('k_rotated'), key, parts) };
}

/** Splits the last dimension. */
export function addSplit(graph: GraphBuilder, name: string, x: string, sizes: readonly number[]): string[] {
  const outputs = sizes.map((_, index) => `${name}/${index}`);
  graph.add('Split', `${name}/split`, [x, graph.integers(sizes)], { attributes: { axis: int(-1) }, outputs });
  return outputs;
}

/** Appends to a cache `[batch, heads, past, width]` and returns the whole `[batch, heads, total, width]`. */
export function addCache(
  { graph, type }: AttentionParts,
  name: string,
  added: string,
  { heads, width }: { readonly heads: number; readonly width: number },
): string {
  const past = graph.input(`past_key_values.${name}`, type, [BATCH, heads, PAST, width]);
  const present = `present.${name}`;
  graph.add('Concat', present, [past, added], { attributes: { axis: int(2) } });
  graph.output(present, type, [BATCH, heads, TOTAL, width]);
  return present;
}

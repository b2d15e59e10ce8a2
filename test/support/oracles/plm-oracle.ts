import type { PlmConfig } from '../../../src/core/config.ts';
import type { Model } from '../../../src/core/model.ts';
import { type LayerRole, layerTensorName, type ModelRole, modelTensorName } from '../../../src/core/names.ts';
import { tensorValues } from '../builders/memory-model.ts';

type Vector = readonly number[];

/** What is added to the product of the matrix of this name with x, if anything. */
export type Added = (name: string, x: Vector) => Vector | undefined;

type Multiply = (role: LayerRole, x: Vector) => Vector;

/**
 * Hears what each matrix is multiplied with, token by token; of k_b and v_b (W_UK^T, W_UV) heads side by
 * side.
 */
export type Watch = (matrix: LayerRole | 'k_b' | 'v_b' | 'head', layer: number, input: Vector) => void;

export interface OracleOptions {
  readonly added?: Added;
  readonly watch?: Watch;
}

/**
 * Logits of a PLM after each token, straight from the formulas of the paper in f64: expanded attention, no
 * cache, no batches. Slow, and nothing shared with the runtime but the names of tensors.
 */
export async function oracleLogits(
  model: Model,
  ids: readonly number[],
  { added = () => undefined, watch = () => {} }: OracleOptions = {},
): Promise<Vector[]> {
  const { config } = model;
  const values = new Map<string, Float32Array>();
  for (const tensor of model.tensors.values()) values.set(tensor.name, await tensorValues(tensor));
  const tensor = (role: ModelRole) => values.get(modelTensorName(role))!;

  const embedding = tensor('embed_tokens');
  let hidden: Vector[] = ids.map((id) => row(embedding, id, config.hiddenSize));
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const weights = (role: LayerRole) => values.get(layerTensorName(role, layer))!;
    const multiply: Multiply = (role, x) => {
      const [y, more] = [matVec(weights(role), x), added(layerTensorName(role, layer), x)];
      return more === undefined ? y : sum(y, more);
    };
    const attended = attention(
      config,
      weights,
      multiply,
      hidden.map((x) => rmsNorm(x, weights('input_layernorm'), config.rmsNormEps)),
      (matrix, input) => watch(matrix, layer, input),
    );
    hidden = hidden.map((x, t) => sum(x, attended[t]!));
    hidden = hidden.map((x) => {
      const normed = rmsNorm(x, weights('post_attention_layernorm'), config.rmsNormEps);
      const active = multiply('up_proj', normed).map((z) => Math.max(z, 0) ** 2);
      watch('up_proj', layer, normed);
      watch('down_proj', layer, active);
      const update = multiply('down_proj', active);
      return sum(x, config.ffnBias ? sum(update, Array.from(weights('down_proj_bias'))) : update);
    });
  }
  const head = config.tieWordEmbeddings ? embedding : tensor('lm_head');
  return hidden.map((x) => {
    const normed = rmsNorm(x, tensor('norm'), config.rmsNormEps);
    watch('head', 0, normed);
    return matVec(head, normed);
  });
}

function attention(
  config: PlmConfig,
  weights: (role: LayerRole) => Float32Array,
  multiply: Multiply,
  xs: Vector[],
  watch: (matrix: Parameters<Watch>[0], input: Vector) => void,
): Vector[] {
  const { numAttentionHeads: heads, kvLoraRank, qkNopeHeadDim: nope, vHeadDim, rmsNormEps } = config;
  const qkDim = nope + config.qkRopeHeadDim;
  const q = xs.map((x, t) => {
    const projected =
      config.qLoraRank === undefined
        ? multiply('q_proj', x)
        : multiply('q_b_proj', rmsNorm(multiply('q_a_proj', x), weights('q_a_layernorm'), rmsNormEps));
    return split(projected, heads).map((head) => [
      ...head.slice(0, nope),
      ...rope(config, head.slice(nope), t),
    ]);
  });
  const compressed = xs.map((x) => multiply('kv_a_proj_with_mqa', x));
  const keyPe = compressed.map((c, t) => rope(config, c.slice(kvLoraRank), t));
  const latents = compressed.map((c) =>
    rmsNorm(c.slice(0, kvLoraRank), weights('kv_a_layernorm'), rmsNormEps),
  );
  const expanded = latents.map((latent) => split(multiply('kv_b_proj', latent), heads));
  return xs.map((_, t) => {
    const contexts: number[] = [];
    const out = Array.from({ length: heads }, (_, h) => {
      const scores = xs.slice(0, t + 1).map((_, s) => {
        const key = [...expanded[s]![h]!.slice(0, nope), ...keyPe[s]!];
        return dot(q[t]![h]!, key) / Math.sqrt(qkDim);
      });
      const largest = Math.max(...scores);
      const exponentials = scores.map((score) => Math.exp(score - largest));
      const total = exponentials.reduce((a, b) => a + b, 0);
      const context = (i: number) =>
        exponentials.reduce((acc, e, s) => acc + (e / total) * latents[s]![i]!, 0);
      contexts.push(...Array.from({ length: kvLoraRank }, (_, i) => context(i)));
      return Array.from({ length: vHeadDim }, (_, i) =>
        exponentials.reduce((acc, e, s) => acc + (e / total) * expanded[s]![h]![nope + i]!, 0),
      );
    });
    watch('q_proj', xs[t]!);
    watch('kv_a_proj_with_mqa', xs[t]!);
    watch('kv_b_proj', latents[t]!);
    watch(
      'k_b',
      q[t]!.flatMap((head) => head.slice(0, nope)),
    );
    watch('v_b', contexts);
    watch('o_proj', out.flat());
    return multiply('o_proj', out.flat());
  });
}

function rope(config: PlmConfig, x: Vector, position: number): Vector {
  const half = x.length / 2;
  const turned = [...x];
  for (let i = 0; i < half; i++) {
    const [a, b] = config.ropeInterleave ? [2 * i, 2 * i + 1] : [i, i + half];
    const angle = position * config.ropeTheta ** (-i / half);
    turned[a] = x[a]! * Math.cos(angle) - x[b]! * Math.sin(angle);
    turned[b] = x[a]! * Math.sin(angle) + x[b]! * Math.cos(angle);
  }
  return turned;
}

function rmsNorm(x: Vector, gamma: Float32Array, epsilon: number): Vector {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + epsilon);
  return x.map((value, i) => value * scale * gamma[i]!);
}

function matVec(matrix: Float32Array, x: Vector): Vector {
  const rows = matrix.length / x.length;
  return Array.from({ length: rows }, (_, r) => dot(x, row(matrix, r, x.length)));
}

function row(matrix: Float32Array, index: number, columns: number): Vector {
  return Array.from(matrix.subarray(index * columns, (index + 1) * columns));
}

function split(x: Vector, parts: number): Vector[] {
  const size = x.length / parts;
  return Array.from({ length: parts }, (_, i) => x.slice(i * size, (i + 1) * size));
}

function dot(a: Vector, b: Vector): number {
  return a.reduce((acc, value, i) => acc + value * b[i]!, 0);
}

function sum(a: Vector, b: Vector): Vector {
  return a.map((value, i) => value + b[i]!);
}

import { attendedHeadDim, type PlmConfig, queryNopeDim } from '../../core/config.ts';
import { type Allocator, allocFloats } from '../allocator.ts';
import type { Attention } from '../attention/attention.ts';
import { ExpandedAttention } from '../attention/attention-expanded.ts';
import { LatentAttention } from '../attention/attention-latent.ts';
import { Query } from '../attention/query.ts';
import { placeRope } from '../attention/rope-table.ts';
import type { Batch, Vectors } from '../batch.ts';
import { Ffn } from '../ffn.ts';
import {
  addTo,
  attendGradient,
  copyHeads,
  from,
  type Matrix,
  multiply,
  multiplyTransposed,
  normalize,
  normalizeGradient,
  type Rope,
  rotate,
  squareReluGradient,
} from '../operations.ts';
import type { KvBWeights, LayerWeights } from '../weights.ts';
import type { GradientSums } from './gradient-sums.ts';

/** The backward pass through one layer, of one whole sequence at a time. */
export class LayerGradient {
  /** Before the layer; the caller's. */
  readonly hidden: Vectors;
  /** Of the loss by the residual stream after the layer; `run` makes of it that by the one before. */
  readonly gradient: Vectors;
  readonly rope: Rope;
  /** Turns vectors back. */
  readonly unrope: Rope;
  readonly #config: PlmConfig;
  readonly #query: Query;
  readonly #attention: Attention;
  readonly #ffn: Ffn;
  /** Normed inputs of the sublayers. */
  readonly #normed: Vectors;
  readonly #ffnNormed: Vectors;
  readonly #attended: Vectors;
  /** The residual stream between the sublayers. */
  readonly #middle: Vectors;
  /** Outputs of kv_a_proj and q_a_proj, as they are and normed. */
  readonly #latent: Vectors;
  readonly #normedLatent: Vectors;
  readonly #qLatent: Vectors;
  readonly #normedQLatent: Vectors;
  readonly #gNormed: Vectors;
  /** What another matrix adds to a gradient. */
  readonly #gPart: Vectors;
  readonly #gAttended: Vectors;
  readonly #gQ: Vectors;
  readonly #gKeys: Vectors;
  readonly #gValues: Vectors;
  /** Both, as kv_b_proj gives them: head by head, keys without their rope part, then values. */
  readonly #gKvB: Vectors;
  readonly #gLatent: Vectors;
  readonly #gQLatent: Vectors;
  /** What each head adds to the gradient by the latent. */
  readonly #gHeads: Vectors;
  readonly #gActivations: Vectors;

  /** `tokens`: the most of one sequence. */
  constructor(config: PlmConfig, tokens: number, allocator: Allocator) {
    const { numAttentionHeads: heads, hiddenSize, kvLoraRank, qLoraRank = 0 } = config;
    const vectors = (stride: number): Vectors => ({
      pointer: allocFloats(allocator, tokens * stride),
      stride,
    });
    const perHead = (size: number): Vectors => ({ ...vectors(heads * size), headStride: size });
    const isLatent = config.kvBForm === 'premultiplied';
    const keyDim = queryNopeDim(config) + config.qkRopeHeadDim;
    this.#config = config;
    this.rope = placeRope(config, tokens, allocator);
    this.unrope = placeRope(config, tokens, allocator);
    this.#query = new Query(config, this.rope, tokens, allocator);
    const size = { config, rope: this.rope, contextLength: tokens, cachedLayers: 1, batch: tokens };
    this.#attention = isLatent
      ? new LatentAttention(size, allocator)
      : new ExpandedAttention(size, allocator);
    this.#ffn = new Ffn(config, tokens, false, allocator);
    this.hidden = vectors(hiddenSize);
    this.gradient = vectors(hiddenSize);
    this.#normed = vectors(hiddenSize);
    this.#ffnNormed = vectors(hiddenSize);
    this.#middle = vectors(hiddenSize);
    this.#attended = perHead(attendedHeadDim(config));
    this.#latent = vectors(kvLoraRank + config.qkRopeHeadDim);
    this.#normedLatent = vectors(kvLoraRank);
    this.#qLatent = vectors(qLoraRank);
    this.#normedQLatent = vectors(qLoraRank);
    this.#gNormed = vectors(hiddenSize);
    this.#gPart = vectors(hiddenSize);
    this.#gAttended = perHead(attendedHeadDim(config));
    this.#gQ = perHead(keyDim);
    this.#gKeys = perHead(keyDim);
    this.#gValues = perHead(attendedHeadDim(config));
    this.#gKvB = perHead(isLatent ? 0 : config.qkNopeHeadDim + config.vHeadDim);
    this.#gLatent = vectors(kvLoraRank + config.qkRopeHeadDim);
    this.#gQLatent = vectors(qLoraRank);
    this.#gHeads = perHead(isLatent ? 0 : kvLoraRank);
    this.#gActivations = vectors(Math.max(...config.intermediateSizes));
  }

  /** Differentiates by the outputs of every matrix of the layer, and by its input. */
  run(batch: Batch, layer: number, weights: LayerWeights, sums: GradientSums): void {
    this.#forward(batch, layer, weights);
    this.#differentiateFfn(batch, weights, sums);
    this.#differentiateAttention(batch, layer, weights, sums);
  }

  /** The values of `Forward` that the backward pass needs: all but the output of the layer. */
  #forward(batch: Batch, layer: number, weights: LayerWeights): void {
    const { query, kvALayernorm } = weights;
    const [x, middle] = [this.#normed, this.#middle];
    normalize(batch, weights.inputLayernorm, this.hidden, x);
    multiply(batch, weights.kvAProj, x, this.#latent);
    normalize(batch, kvALayernorm, this.#latent, this.#normedLatent);
    if ('qAProj' in query) {
      multiply(batch, query.qAProj, x, this.#qLatent);
      normalize(batch, query.qALayernorm, this.#qLatent, this.#normedQLatent);
    }
    const q = this.#query.run(batch, weights, x);
    this.#attention.run(batch, layer, weights, { x, q }, this.#attended);
    multiply(batch, weights.oProj, this.#attended, middle);
    addTo(batch, this.hidden, middle, this.#config.hiddenSize);
    normalize(batch, weights.postAttentionLayernorm, middle, this.#ffnNormed);
    this.#ffn.activate(batch, weights, this.#ffnNormed);
  }

  #differentiateFfn(batch: Batch, weights: LayerWeights, sums: GradientSums): void {
    const { upProj, postAttentionLayernorm } = weights;
    const g = this.#gActivations;
    sums.add(batch, 'down_proj', this.#ffn.activations, this.gradient);
    multiplyTransposed(batch, storedDownProj(weights), this.gradient, g);
    squareReluGradient(batch, this.#ffn.activations, g, upProj.rows);
    sums.add(batch, 'up_proj', this.#ffnNormed, g);
    multiplyTransposed(batch, upProj, g, this.#gNormed);
    normalizeGradient(batch, postAttentionLayernorm, this.#middle, this.#gNormed);
    addTo(batch, this.#gNormed, this.gradient, this.#config.hiddenSize);
  }

  #differentiateAttention(batch: Batch, layer: number, weights: LayerWeights, sums: GradientSums): void {
    const { numAttentionHeads: heads, hiddenSize, kvLoraRank } = this.#config;
    const [gQ, gLatent] = [this.#gQ, this.#gLatent];
    sums.add(batch, 'o_proj', sideBySide(this.#attended), this.gradient);
    multiplyTransposed(batch, weights.oProj, this.gradient, sideBySide(this.#gAttended));
    attendGradient(batch, this.#attention.operands(layer, this.#query.vectors), this.#gAttended, {
      q: gQ.pointer,
      keys: this.#gKeys.pointer,
      values: this.#gValues.pointer,
    });

    this.#differentiateCache(batch, weights, sums);
    rotate(batch, this.unrope, from(gLatent, kvLoraRank), 1);
    normalizeGradient(batch, weights.kvALayernorm, this.#latent, gLatent);
    sums.add(batch, 'kv_a_proj_with_mqa', this.#normed, gLatent);
    multiplyTransposed(batch, weights.kvAProj, gLatent, this.#gNormed);

    rotate(batch, this.unrope, from(gQ, queryNopeDim(this.#config)), heads);
    this.#differentiateQuery(batch, weights, sums);
    addTo(batch, this.#gPart, this.#gNormed, hiddenSize);
    normalizeGradient(batch, weights.inputLayernorm, this.hidden, this.#gNormed);
    addTo(batch, this.#gNormed, this.gradient, hiddenSize);
  }

  /** From keys and values of all heads to [c' | k_pe]. */
  #differentiateCache(batch: Batch, { kvB }: LayerWeights, sums: GradientSums): void {
    const { kvLoraRank, qkRopeHeadDim } = this.#config;
    const [gKeys, gValues, gLatent] = [this.#gKeys, this.#gValues, this.#gLatent];
    const nope = queryNopeDim(this.#config);
    batch.compute.floats(gLatent.pointer, batch.tokens * gLatent.stride).fill(0);
    this.#addHeads(batch, from(gKeys, nope), from(gLatent, kvLoraRank), qkRopeHeadDim);
    if (kvB === undefined) {
      this.#addHeads(batch, gKeys, gLatent, kvLoraRank);
      this.#addHeads(batch, gValues, gLatent, kvLoraRank);
      return;
    }
    this.#sumKvB(batch, sums);
    for (const [differentiate, half, g] of halvesOf(kvB, gKeys, gValues)) {
      differentiate(batch, half, g, this.#gHeads);
      this.#addHeads(batch, this.#gHeads, gLatent, kvLoraRank);
    }
  }

  #sumKvB(batch: Batch, sums: GradientSums): void {
    const { numAttentionHeads: heads, qkNopeHeadDim: nope, vHeadDim } = this.#config;
    copyHeads(batch, this.#gKeys, this.#gKvB, heads, nope);
    copyHeads(batch, this.#gValues, from(this.#gKvB, nope), heads, vHeadDim);
    sums.add(batch, 'kv_b_proj', this.#normedLatent, sideBySide(this.#gKvB));
  }

  /** From queries to `#gPart`, what they add to the gradient by the normed input. */
  #differentiateQuery(batch: Batch, { query }: LayerWeights, sums: GradientSums): void {
    const [gQ, gQLatent] = [sideBySide(this.#gQ), this.#gQLatent];
    if ('qProj' in query) {
      sums.add(batch, 'q_proj', this.#normed, gQ);
      multiplyTransposed(batch, query.qProj, gQ, this.#gPart);
      return;
    }
    sums.add(batch, 'q_b_proj', this.#normedQLatent, gQ);
    multiplyTransposed(batch, query.qBProj, gQ, gQLatent);
    normalizeGradient(batch, query.qALayernorm, this.#qLatent, gQLatent);
    sums.add(batch, 'q_a_proj', this.#normed, gQLatent);
    multiplyTransposed(batch, query.qAProj, gQLatent, this.#gPart);
  }

  #addHeads(batch: Batch, perHead: Vectors, target: Vectors, count: number): void {
    for (let h = 0; h < this.#config.numAttentionHeads; h++) {
      addTo(batch, from(perHead, h * perHead.headStride!), target, count);
    }
  }
}

/** Both halves of kv_b_proj, with what takes the gradient by its outputs to that by its input. */
function halvesOf({ kB, kBTransposed, vB }: KvBWeights, gKeys: Vectors, gValues: Vectors) {
  const back = kBTransposed ? multiply : multiplyTransposed;
  return [
    [back, kB, gKeys],
    [multiplyTransposed, vB, gValues],
  ] as const;
}

/** The heads of a token as one vector. */
function sideBySide({ pointer, stride }: Vectors): Vectors {
  return { pointer, stride };
}

function storedDownProj({ downProj }: LayerWeights): Matrix {
  if ('stored' in downProj) return downProj.stored;
  throw new Error('down_proj is stored by neuron');
}

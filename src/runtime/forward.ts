import { attendedHeadDim, type PlmConfig } from '../core/config.ts';
import type { Compute } from '../kernels/compute.ts';
import type { Pointer } from '../kernels/memory.ts';
import { type Allocator, allocFloats } from './allocator.ts';
import type { Attention, AttentionForm } from './attention/attention.ts';
import { ExpandedAttention } from './attention/attention-expanded.ts';
import { LatentAttention } from './attention/attention-latent.ts';
import { Query } from './attention/query.ts';
import { placeRope } from './attention/rope-table.ts';
import type { Batch, Vectors } from './batch.ts';
import { Ffn } from './ffn.ts';
import { addTo, from, multiply, normalize, type Rope } from './operations.ts';
import type { PlmWeights } from './weights.ts';

/** Rows of logits that are computed together; one of PLM-1.8B takes 608 KB. */
const LOGIT_ROWS = 16;

export interface ForwardSize {
  readonly attention: AttentionForm;
  readonly contextLength: number;
  /** Layers whose keys and values are kept: all, or one, for those who run one layer over all tokens. */
  readonly cachedLayers: number;
  /** Most tokens of one batch. */
  readonly batch: number;
  /** Default false. */
  readonly countsFirings?: boolean;
}

/** The layers of a PLM with the activations of one batch, all f32. */
export class Forward {
  readonly rope: Rope;
  readonly #config: PlmConfig;
  readonly #weights: PlmWeights;
  readonly #attention: Attention;
  readonly #ffn: Ffn;
  readonly #ids: Pointer;
  /** The residual stream of a batch. */
  readonly hidden: Vectors;
  readonly #normed: Vectors;
  /** What a sublayer adds to the residual stream. */
  readonly #update: Vectors;
  readonly #query: Query;
  readonly #attended: Vectors;
  readonly #logits: Vectors;

  constructor(config: PlmConfig, weights: PlmWeights, size: ForwardSize, allocator: Allocator) {
    const { attention, contextLength, cachedLayers, batch, countsFirings = false } = size;
    const { numAttentionHeads: heads, hiddenSize } = config;
    const vectors = (count: number, stride: number, headStride?: number): Vectors => ({
      pointer: allocFloats(allocator, count * stride),
      stride,
      ...(headStride !== undefined && { headStride }),
    });
    const attendedDim = attendedHeadDim(config);
    this.#config = config;
    this.#weights = weights;
    this.rope = placeRope(config, contextLength, allocator);
    const attentionSize = { config, rope: this.rope, contextLength, cachedLayers, batch };
    this.#attention =
      attention === 'latent'
        ? new LatentAttention(attentionSize, allocator)
        : new ExpandedAttention(attentionSize, allocator);
    this.#ffn = new Ffn(config, batch, countsFirings, allocator);
    this.#ids = allocator.alloc(4 * batch);
    this.hidden = vectors(batch, hiddenSize);
    this.#normed = vectors(batch, hiddenSize);
    this.#update = vectors(batch, hiddenSize);
    this.#query = new Query(config, this.rope, batch, allocator);
    this.#attended = vectors(batch, heads * attendedDim, attendedDim);
    this.#logits = vectors(Math.min(batch, LOGIT_ROWS), config.vocabSize);
  }

  /** Looks up the embeddings of the tokens at `position` and after it. */
  embed(compute: Compute, ids: ArrayLike<number>, position: number): Batch {
    const { weights, scheme, rowBytes, columns } = this.#weights.embedTokens;
    const tokens = ids.length;
    compute.ints(this.#ids, tokens).set(ids);
    compute.run('embed', {
      weights,
      scheme,
      rowBytes,
      columns,
      tokens,
      ids: this.#ids,
      y: this.hidden.pointer,
      yTokenStride: this.hidden.stride,
    });
    return { compute, tokens, position };
  }

  /** Sends the batch through one layer. */
  layer(batch: Batch, layer: number): void {
    const weights = this.#weights.layers[layer]!;
    const [x, update] = [this.#normed, this.#update];
    normalize(batch, weights.inputLayernorm, this.hidden, x);
    batch.sums?.add(batch, 'input', x);
    const q = this.#query.run(batch, weights, x);
    this.#attention.run(batch, layer, weights, { x, q }, this.#attended);
    batch.sums?.add(batch, 'attended', this.#attended);
    multiply(batch, weights.oProj, this.#attended, update);
    addTo(batch, update, this.hidden, this.#config.hiddenSize);

    normalize(batch, weights.postAttentionLayernorm, this.hidden, x);
    batch.sums?.add(batch, 'ffn', x);
    this.#ffn.run(batch, layer, weights, x, update);
    addTo(batch, update, this.hidden, this.#config.hiddenSize);
  }

  /** Share of the FFN's weights that a token reads, averaged over all tokens so far; 1 before the first. */
  get ffnReadShare(): number {
    return this.#ffn.readShare;
  }

  /**
   * Share of the FFN's neurons above zero, by layer, over all tokens so far; undefined where they are not
   * counted.
   */
  get firing(): readonly number[] | undefined {
    return this.#ffn.firing;
  }

  /** What the head is multiplied with, of the whole batch. */
  headInput(batch: Batch): Vectors {
    normalize(batch, this.#weights.norm, this.hidden, this.#normed);
    batch.sums?.addHead(batch, this.#normed);
    return this.#normed;
  }

  /**
   * Logits of the tokens from `first` on, one view per row, as many rows as fit. The next call overwrites
   * them.
   */
  logits(batch: Batch, first: number): Float32Array[] {
    const { compute, tokens, position } = batch;
    const { vocabSize, hiddenSize } = this.#config;
    const rows: Batch = {
      compute,
      tokens: Math.min(LOGIT_ROWS, tokens - first),
      position: position + first,
    };
    normalize(rows, this.#weights.norm, from(this.hidden, first * hiddenSize), this.#normed);
    multiply(rows, this.#weights.lmHead, this.#normed, this.#logits);
    return Array.from({ length: rows.tokens }, (_, row) =>
      compute.floats(this.#logits.pointer + 4 * row * vocabSize, vocabSize),
    );
  }
}

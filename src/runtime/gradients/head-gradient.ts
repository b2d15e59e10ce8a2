import type { PlmConfig } from '../../core/config.ts';
import type { Pointer, SharedViews } from '../../kernels/memory.ts';
import { type Allocator, allocFloats } from '../allocator.ts';
import type { Batch, Vectors } from '../batch.ts';
import type { HeadPart } from '../head-parts.ts';
import {
  addTo,
  from,
  multiply,
  multiplyTransposed,
  type Norm,
  normalize,
  normalizeGradient,
  softmax,
  sumColumns,
} from '../operations.ts';
import type { Labels } from './labels.ts';

/** Sums over all tokens of squares: of the gradient by each logit, as expected, and of the inputs of the head. */
export interface HeadGradients {
  readonly logits: Float64Array;
  readonly inputs: Float64Array;
}

/** The gradient of the loss by what goes into the last norm, of a few tokens at a time. */
export class HeadGradient {
  /** After the last layer; the caller's. */
  readonly hidden: Vectors;
  /** What `run` gives. */
  readonly gradient: Vectors;
  readonly #config: PlmConfig;
  readonly #norm: Norm;
  readonly #normed: Vectors;
  /** Logits, then probabilities, then the gradient by logits. */
  readonly #logits: Vectors;
  readonly #part: Vectors;
  /** Sums over tokens of probabilities and of their squares, by token of the vocabulary. */
  readonly #sums: Pointer;
  readonly #squares: Pointer;
  readonly #inputs: Pointer;

  /** `tokens`: the most of one batch. */
  constructor(config: PlmConfig, norm: Norm, tokens: number, allocator: Allocator) {
    const vectors = (stride: number): Vectors => ({
      pointer: allocFloats(allocator, tokens * stride),
      stride,
    });
    this.#config = config;
    this.#norm = norm;
    this.hidden = vectors(config.hiddenSize);
    this.gradient = vectors(config.hiddenSize);
    this.#normed = vectors(config.hiddenSize);
    this.#part = vectors(config.hiddenSize);
    this.#logits = vectors(config.vocabSize);
    this.#sums = allocator.alloc(8 * config.vocabSize);
    this.#squares = allocator.alloc(8 * config.vocabSize);
    this.#inputs = allocator.alloc(8 * config.hiddenSize);
  }

  /** `parts` reads the head from its beginning each time; `weight`: how often each of the tokens counts. */
  async run(
    batch: Batch,
    parts: () => AsyncIterable<HeadPart>,
    labels: Labels,
    weight: number,
  ): Promise<void> {
    const { vocabSize, hiddenSize } = this.#config;
    const { compute, tokens } = batch;
    const logits = this.#logits;
    normalize(batch, this.#norm, this.hidden, this.#normed);
    sumColumns(batch, this.#normed, hiddenSize, { weight, squares: this.#inputs });
    for await (const { matrix, first } of parts()) multiply(batch, matrix, this.#normed, from(logits, first));
    softmax(batch, logits, vocabSize);
    sumColumns(batch, logits, vocabSize, { weight, sums: this.#sums, squares: this.#squares });
    for (let t = 0; t < tokens; t++) {
      const probabilities = compute.floats(logits.pointer + 4 * t * logits.stride, vocabSize);
      probabilities[labels(probabilities)]! -= 1;
    }
    compute.floats(this.gradient.pointer, tokens * hiddenSize).fill(0);
    for await (const { matrix, first } of parts()) {
      multiplyTransposed(batch, matrix, from(logits, first), this.#part);
      addTo(batch, this.#part, this.gradient, hiddenSize);
    }
    normalizeGradient(batch, this.#norm, this.hidden, this.gradient);
  }

  /** Of all batches. The square of the gradient by a logit is expected to be p (1 - p). */
  sums(views: SharedViews): HeadGradients {
    const { vocabSize, hiddenSize } = this.#config;
    const squares = views.doubles(this.#squares, vocabSize);
    return {
      logits: views.doubles(this.#sums, vocabSize).map((sum, token) => sum - squares[token]!),
      inputs: views.doubles(this.#inputs, hiddenSize).slice(),
    };
  }
}

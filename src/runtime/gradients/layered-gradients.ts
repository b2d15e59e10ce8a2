import type { Progress } from '../../core/jobs/progress.ts';
import { Turns } from '../../core/jobs/turns.ts';
import type { Model } from '../../core/model.ts';
import { modelTensorName } from '../../core/names.ts';
import { type Compute, openCompute } from '../../kernels/compute.ts';
import type { Pointer } from '../../kernels/memory.ts';
import { defaultThreads } from '../../kernels/threads.ts';
import { type Allocator, AreaCounter } from '../allocator.ts';
import { fillRopeTable } from '../attention/rope-table.ts';
import type { Batch, Vectors } from '../batch.ts';
import { headPartBytes, readHead } from '../head-parts.ts';
import type { HiddenStates } from '../hidden-states.ts';
import type { Sequence } from '../layered-runtime.ts';
import { loadWeights } from '../load-weights.ts';
import { type PassingLayers, Placer, placePassingLayers } from '../weights.ts';
import { GradientSums, type LayerGradients, type WeightGradients } from './gradient-sums.ts';
import { HeadGradient, type HeadGradients } from './head-gradient.ts';
import type { Labels } from './labels.ts';
import { LayerGradient } from './layer-gradient.ts';

export interface GradientOptions {
  /** Before the first layer, between the layers and after the last: those of all tokens one after the other. */
  readonly states: HiddenStates;
  /** Where the gradients of all tokens are kept. */
  readonly gradients: HiddenStates;
  readonly labels: Labels;
  /** Default: `defaultThreads`. */
  readonly threads?: number | undefined;
  /** Hears of the tokens that have gone through a layer. */
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Tokens whose logits are in memory at once: 39 MB of PLM-1.8B. */
const HEAD_TOKENS = 64;

/**
 * The backward pass of a PLM over many sequences, from the head to the embeddings, with the weights of one
 * layer in memory at a time. What a layer has computed is computed again from its input. One call at a time.
 */
export class LayeredGradients {
  readonly #model: Model;
  readonly #sequences: readonly Sequence[];
  readonly #compute: Compute;
  readonly #places: Places;
  readonly #options: GradientOptions;
  readonly #turns: Turns;
  readonly #tokens: number;
  /** The kept gradients are by the input of this layer; by that of the head at first. */
  #layer: number;

  private constructor(
    model: Model,
    sequences: readonly Sequence[],
    options: GradientOptions,
    opened: { readonly compute: Compute; readonly places: Places },
  ) {
    this.#model = model;
    this.#sequences = sequences;
    this.#compute = opened.compute;
    this.#places = opened.places;
    this.#options = options;
    this.#turns = new Turns(options.signal);
    this.#tokens = sequences.reduce((sum, { ids }) => sum + ids.length, 0);
    this.#layer = model.config.numHiddenLayers;
  }

  /**
   * The model stays open until the gradients are closed.
   * @throws PressError unsupported for schemes without decoder, local-io where the working memory does not fit.
   */
  static async open(
    model: Model,
    sequences: readonly Sequence[],
    options: GradientOptions,
  ): Promise<LayeredGradients> {
    const { threads = defaultThreads(model.tensors.values()), signal } = options;
    const compute = await openCompute({ threads, bytes: LayeredGradients.memoryBytes(model, sequences) });
    try {
      const places = place(model, sequences, compute);
      const { rope, unrope } = places.layer;
      fillRopeTable(compute, rope, model.config.ropeTheta, longest(sequences));
      fillRopeTable(compute, unrope, model.config.ropeTheta, longest(sequences), -1);
      await loadWeights(compute, places.placements, signal, undefined);
      return new LayeredGradients(model, sequences, options, { compute, places });
    } catch (error) {
      await compute.close();
      throw error;
    }
  }

  /** Bytes of working memory that `open` takes, without states and gradients of all tokens. */
  static memoryBytes(model: Model, sequences: readonly Sequence[]): number {
    const counter = new AreaCounter();
    place(model, sequences, counter);
    return counter.bytes;
  }

  /** The first step back. */
  async head(): Promise<HeadGradients> {
    const { head, area } = this.#places;
    const { signal, labels } = this.#options;
    const parts = () => readHead(this.#model, this.#compute, area, signal);
    await this.#each(HEAD_TOKENS, async (batch, first, weight) => {
      await this.#options.states.read(this.#layer * this.#tokens + first, this.#floats(head.hidden, batch));
      await head.run(batch, parts, labels, weight);
      await this.#options.gradients.write(first, this.#floats(head.gradient, batch));
    });
    return head.sums(this.#compute);
  }

  /** Goes back through one layer. */
  async previousLayer(): Promise<LayerGradients> {
    const { layer, passing, sums } = this.#places;
    const number = --this.#layer;
    await loadWeights(this.#compute, passing.placements[number]!, this.#options.signal, undefined);
    sums.begin(this.#compute, number);
    await this.#each(Number.POSITIVE_INFINITY, async (batch, first, weight) => {
      await this.#options.states.read(number * this.#tokens + first, this.#floats(layer.hidden, batch));
      await this.#options.gradients.read(first, this.#floats(layer.gradient, batch));
      sums.weigh(weight);
      layer.run(batch, number, passing.layers[number]!, sums);
      await this.#options.gradients.write(first, this.#floats(layer.gradient, batch));
    });
    return sums.layer(this.#compute);
  }

  /** Once all layers are done: of the embedding as the table that tokens are looked up in. */
  async embeddings(): Promise<WeightGradients> {
    const { vocabSize, hiddenSize } = this.#model.config;
    const [rows, columns] = [new Float64Array(vocabSize), new Float64Array(hiddenSize)];
    let first = 0;
    for (const { ids, weight = 1 } of this.#sequences) {
      const gradients = new Float32Array(ids.length * hiddenSize);
      await this.#options.gradients.read(first, gradients);
      first += ids.length;
      for (const [id, sums] of sumsById(ids, gradients, hiddenSize)) {
        for (const [channel, sum] of sums.entries()) {
          rows[id]! += weight * sum ** 2;
          columns[channel]! += weight * sum ** 2;
        }
      }
    }
    return { rows, columns };
  }

  /** Ends the threads and gives up the memory. */
  async close(): Promise<void> {
    await this.#compute.close();
  }

  /** Runs `use` on every sequence, `most` tokens at a time, with the number of the first of them in all. */
  async #each(
    most: number,
    use: (batch: Batch, first: number, weight: number) => Promise<void>,
  ): Promise<void> {
    let first = 0;
    for (const { ids, weight = 1 } of this.#sequences) {
      for (let position = 0; position < ids.length; position += most) {
        this.#options.signal?.throwIfAborted();
        const tokens = Math.min(most, ids.length - position);
        await use({ compute: this.#compute, tokens, position }, first, weight);
        first += tokens;
        this.#options.progress?.({ kind: 'advance', done: first });
        await this.#turns.offer();
      }
    }
  }

  #floats({ pointer, stride }: Vectors, { tokens }: Batch): Float32Array {
    return this.#compute.floats(pointer, tokens * stride);
  }
}

interface Places {
  /** Holds one layer after the other, or parts of the head. */
  readonly area: Pointer;
  readonly passing: PassingLayers;
  readonly placements: Placer['placements'];
  readonly head: HeadGradient;
  readonly layer: LayerGradient;
  readonly sums: GradientSums;
}

/** Finds room for everything. The same requests in the same order for every allocator. */
function place(model: Model, sequences: readonly Sequence[], allocator: Allocator): Places {
  const { config } = model;
  const tokens = longest(sequences);
  const passing = placePassingLayers(model, 'dense', 0, headPartBytes(model), allocator);
  const placer = new Placer(model, allocator);
  const norm = placer.norm(modelTensorName('norm'));
  return {
    area: passing.area,
    passing,
    placements: placer.placements,
    head: new HeadGradient(config, norm, Math.min(HEAD_TOKENS, tokens), allocator),
    layer: new LayerGradient(config, tokens, allocator),
    sums: new GradientSums(config, tokens, allocator),
  };
}

function longest(sequences: readonly Sequence[]): number {
  return Math.max(...sequences.map(({ ids }) => ids.length));
}

/** Gradients by one embedding that is looked up several times add up. */
function sumsById(
  ids: ArrayLike<number>,
  gradients: Float32Array,
  channels: number,
): ReadonlyMap<number, Float64Array> {
  const sums = new Map<number, Float64Array>();
  for (let t = 0; t < ids.length; t++) {
    const sum = sums.get(ids[t]!) ?? new Float64Array(channels);
    for (let c = 0; c < channels; c++) sum[c]! += gradients[t * channels + c]!;
    sums.set(ids[t]!, sum);
  }
  return sums;
}

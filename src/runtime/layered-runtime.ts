import type { Progress } from '../core/jobs/progress.ts';
import { giveTurn, Turns } from '../core/jobs/turns.ts';
import type { Model } from '../core/model.ts';
import { modelTensorName } from '../core/names.ts';
import { byteLength, readRow, rowBytes, rowCount, type Tensor } from '../core/tensor.ts';
import { type Compute, openCompute } from '../kernels/compute.ts';
import type { Pointer } from '../kernels/memory.ts';
import { defaultThreads } from '../kernels/threads.ts';
import { type Allocator, AreaCounter, allocFloats } from './allocator.ts';
import { assertIds } from './assert-ids.ts';
import type { AttentionForm } from './attention/attention.ts';
import { fillRopeTable } from './attention/rope-table.ts';
import type { Batch } from './batch.ts';
import { Forward } from './forward.ts';
import { headName, headOf, headPartBytes, headPartRows, readHead } from './head-parts.ts';
import { type HiddenStates, ResidentStates } from './hidden-states.ts';
import { type HeadStatistics, type LayerStatistics, LayerSums, type SumsRequest } from './layer-sums.ts';
import { loadWeights } from './load-weights.ts';
import { multiply } from './operations.ts';
import { matrixAt, Placer, type PlmWeights, placePassingLayers } from './weights.ts';

/** Tokens that are read without a past. */
export interface Sequence {
  readonly ids: ArrayLike<number>;
  /** How often each of them counts in sums. Left out: once. */
  readonly weight?: number;
}

export interface LayeredOptions {
  /** Default: `defaultThreads`. */
  readonly threads?: number | undefined;
  /** Default latent. */
  readonly attention?: AttentionForm | undefined;
  /** Count the neurons of the FFN that fire, for `firing`. Default false. */
  readonly countsFirings?: boolean | undefined;
  /**
   * Keep the head in memory from the start, and read it once. Default false: `logits` reads it in parts, all of
   * them for every batch of tokens.
   */
  readonly holdsHead?: boolean;
  /** Sum up what the matrices are multiplied with. */
  readonly sums?: SumsRequest;
  /** Where the residual stream of all tokens is kept. Left out: in memory. */
  readonly states?: HiddenStates;
  /** Layers that all tokens have gone through: `states` are those after them. Left out: none. */
  readonly layers?: number;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/** Tokens that go through a layer together. */
const BATCH = 128;

/**
 * The forward pass of a PLM over many sequences with the weights of one layer in memory at a time: all tokens
 * go through a layer before the next one is read. The bits are those of `PlmRuntime`. One call at a time.
 */
export class LayeredRuntime {
  readonly #model: Model;
  readonly #sequences: readonly Sequence[];
  readonly #compute: Compute;
  readonly #places: Places;
  readonly #states: HiddenStates;
  readonly #options: LayeredOptions;
  readonly #turns: Turns;
  #layer: number;
  /** Logits of a batch, if the head is read in parts. */
  #rows: Float32Array[] = [];

  private constructor(model: Model, sequences: readonly Sequence[], options: LayeredOptions, opened: Opened) {
    this.#model = model;
    this.#sequences = sequences;
    this.#compute = opened.compute;
    this.#places = opened.places;
    this.#states = options.states ?? new ResidentStates(tokensOf(sequences), model.config.hiddenSize);
    this.#options = options;
    this.#turns = new Turns(options.signal);
    this.#layer = options.layers ?? 0;
  }

  /**
   * Reads the embeddings of all tokens. The model stays open until the runtime is closed.
   * @throws PressError unsupported for schemes without decoder and for expanded attention of a premultiplied
   * model, invalid-input for ids outside the embedding, local-io where the working memory does not fit.
   */
  static async open(
    model: Model,
    sequences: readonly Sequence[],
    options: LayeredOptions = {},
  ): Promise<LayeredRuntime> {
    const { threads = defaultThreads(model.tensors.values()), signal } = options;
    for (const { ids } of sequences) assertIds(ids, model.config);
    const bytes = LayeredRuntime.memoryBytes(model, sequences, options);
    const compute = await openCompute({ threads, bytes });
    try {
      const places = place(model, sequences, options, compute);
      fillRopeTable(compute, places.forward.rope, model.config.ropeTheta, longest(sequences));
      await loadWeights(compute, places.weights.placements, signal, undefined);
      const runtime = new LayeredRuntime(model, sequences, options, { compute, places });
      if (runtime.layers === 0) await runtime.#embed();
      return runtime;
    } catch (error) {
      await compute.close();
      throw error;
    }
  }

  /** Bytes of the head, as it is stored. */
  static headBytes(model: Model): number {
    return byteLength(headOf(model));
  }

  /** Bytes of working memory that `open` would take, without the hidden states. */
  static memoryBytes(model: Model, sequences: readonly Sequence[], options: LayeredOptions = {}): number {
    const counter = new AreaCounter();
    place(model, sequences, options, counter);
    return counter.bytes;
  }

  /** Layers that all tokens have gone through. */
  get layers(): number {
    return this.#layer;
  }

  /**
   * Share of the FFN's neurons above zero, by layer, over all tokens; undefined without `countsFirings`.
   */
  get firing(): readonly number[] | undefined {
    return this.#places.forward.firing;
  }

  /** Sends all tokens through the next layer; `moments`: with the second moments that were asked for. */
  async nextLayer(moments = true): Promise<void> {
    const { forward, weights, sums } = this.#places;
    const layer = this.#layer;
    await loadWeights(this.#compute, weights.layerPlacements[layer]!, this.#options.signal, undefined);
    sums?.begin(this.#compute, layer, moments);
    await this.#eachBatch(async (batch, first) => {
      await this.#read(batch, first);
      forward.layer(batch, layer);
      await this.#states.write(first, this.#hidden(batch));
    });
    this.#layer++;
  }

  /** Sums of the layer that all tokens have just gone through. */
  layerStatistics(): LayerStatistics {
    return this.#places.sums!.layer(this.#compute);
  }

  /** Sums of what the head is multiplied with, once all layers are done. */
  async headStatistics(): Promise<HeadStatistics> {
    const { forward, sums } = this.#places;
    sums!.begin(this.#compute, 'head');
    await this.#eachBatch(async (batch, first) => {
      await this.#read(batch, first);
      forward.headInput(batch);
    });
    return sums!.head(this.#compute);
  }

  /**
   * Logits after each token, vocabSize values, once all layers are done. A row is a view that holds until the
   * next one is asked for.
   */
  async *logits(): AsyncGenerator<Float32Array, void> {
    for (const { first, ...batch } of this.#batches()) {
      await this.#read(batch, first);
      yield* this.#places.logits === undefined
        ? this.#heldLogits(batch)
        : this.#readLogits(batch, this.#places.logits);
    }
  }

  /** Ends the threads and gives up the memory. */
  async close(): Promise<void> {
    await this.#compute.close();
  }

  async #embed(): Promise<void> {
    const { forward, holdsEmbeddings } = this.#places;
    for (const { first, position, tokens, ids } of this.#batches()) {
      const part = Array.prototype.slice.call(ids, position, position + tokens) as number[];
      if (!holdsEmbeddings) await this.#loadEmbeddings(part);
      const batch = forward.embed(this.#compute, holdsEmbeddings ? part : [...part.keys()], position);
      await this.#states.write(first, this.#hidden(batch));
    }
  }

  async #loadEmbeddings(ids: readonly number[]): Promise<void> {
    const embedding = embeddingOf(this.#model);
    const bytes = rowBytes(embedding);
    for (const [index, id] of ids.entries()) {
      const row = await readRow(embedding, id, this.#options.signal);
      this.#compute.bytes(this.#places.area + index * bytes, bytes).set(row);
    }
  }

  /** Runs `use` on every batch, which gets the number of its first token, and sums up what it has left. */
  async #eachBatch(use: (batch: Batch, first: number) => Promise<void>): Promise<void> {
    const { sums } = this.#places;
    for (const { first, weight, ...batch } of this.#batches()) {
      this.#options.signal?.throwIfAborted();
      await sums?.weigh(weight, this.#compute, this.#turns);
      await sums?.makeRoom(batch.tokens, this.#compute, this.#turns);
      await use({ ...batch, sums }, first);
      this.#options.progress?.({ kind: 'advance', done: first + batch.tokens });
      await this.#turns.offer();
    }
    await sums?.settle(this.#compute, this.#turns);
  }

  /** All tokens in batches; `first`: the number of a batch's first token among those of all sequences. */
  *#batches(): Generator<SequenceBatch> {
    let first = 0;
    for (const { ids, weight = 1 } of this.#sequences) {
      for (let position = 0; position < ids.length; position += BATCH) {
        const tokens = Math.min(BATCH, ids.length - position);
        yield { compute: this.#compute, tokens, position, ids, weight, first };
        first += tokens;
      }
    }
  }

  async *#heldLogits(batch: Batch): AsyncGenerator<Float32Array, void> {
    for (let row = 0; row < batch.tokens; ) {
      const rows = this.#places.forward.logits(batch, row);
      yield* this.#inTurns(rows);
      row += rows.length;
    }
  }

  /** Reads the head in parts, whose logits are computed at `logits`. */
  async *#readLogits(batch: Batch, logits: Pointer): AsyncGenerator<Float32Array, void> {
    const { area, forward } = this.#places;
    const rows = this.#rowsFor(batch.tokens, rowCount(headOf(this.#model)));
    const x = forward.headInput(batch);
    for await (const { matrix, first } of readHead(this.#model, this.#compute, area, this.#options.signal)) {
      multiply(batch, matrix, x, { pointer: logits, stride: matrix.rows });
      for (const [token, row] of rows.entries()) {
        row.set(this.#compute.floats(logits + 4 * token * matrix.rows, matrix.rows), first);
      }
      await this.#turns.offer();
    }
    yield* this.#inTurns(rows);
  }

  async *#inTurns(rows: readonly Float32Array[]): AsyncGenerator<Float32Array, void> {
    for (const row of rows) {
      yield row;
      await giveTurn(this.#options.signal);
    }
  }

  #rowsFor(tokens: number, columns: number): Float32Array[] {
    if (this.#rows.length < tokens) {
      this.#rows = Array.from({ length: tokens }, () => new Float32Array(columns));
    }
    return this.#rows.slice(0, tokens);
  }

  #hidden({ tokens }: Batch): Float32Array {
    const { pointer, stride } = this.#places.forward.hidden;
    return this.#compute.floats(pointer, tokens * stride);
  }

  #read(batch: Batch, first: number): Promise<void> {
    return this.#states.read(first, this.#hidden(batch));
  }
}

interface Opened {
  readonly compute: Compute;
  readonly places: Places;
}

interface SequenceBatch extends Batch {
  /** Of the whole sequence. */
  readonly ids: ArrayLike<number>;
  readonly weight: number;
  readonly first: number;
}

interface Places {
  /** Holds embeddings, then one layer after the other, then parts of the head. */
  readonly area: Pointer;
  readonly weights: PlmWeights;
  readonly holdsEmbeddings: boolean;
  readonly forward: Forward;
  /** Logits of one part of the head; undefined if the head is held. */
  readonly logits: Pointer | undefined;
  readonly sums: LayerSums | undefined;
}

/** Finds room for everything. The same requests in the same order for every allocator. */
function place(
  model: Model,
  sequences: readonly Sequence[],
  options: LayeredOptions,
  allocator: Allocator,
): Places {
  const { config } = model;
  const { attention = 'latent', countsFirings = false, holdsHead = false, sums } = options;
  const [embedding, head] = [embeddingOf(model), headOf(model)];
  const contextLength = longest(sequences);
  const batch = Math.min(BATCH, contextLength);
  const holdsEmbeddings = holdsHead && head === embedding;
  const leastBytes = Math.max(
    holdsEmbeddings ? 0 : batch * rowBytes(embedding),
    holdsHead ? 0 : headPartBytes(model),
  );
  const { area, layers, placements } = placePassingLayers(model, 'dense', 0, leastBytes, allocator);
  const resident = new Placer(model, allocator);
  const batchEmbeddings = matrixAt(area, { ...embedding, shape: [batch, config.hiddenSize] });
  const lmHead = holdsHead ? resident.matrix(headName(config)) : batchEmbeddings;
  const weights: PlmWeights = {
    embedTokens: holdsEmbeddings ? lmHead : batchEmbeddings,
    lmHead,
    layers,
    norm: resident.norm(modelTensorName('norm')),
    placements: resident.placements,
    layerPlacements: placements,
  };
  const size = { attention, contextLength, cachedLayers: 1, batch, countsFirings };
  return {
    area,
    weights,
    holdsEmbeddings,
    forward: new Forward(config, weights, size, allocator),
    logits: holdsHead ? undefined : allocFloats(allocator, batch * headPartRows(model)),
    sums: sums && new LayerSums(config, sums, allocator),
  };
}

function tokensOf(sequences: readonly Sequence[]): number {
  return sequences.reduce((sum, { ids }) => sum + ids.length, 0);
}

function longest(sequences: readonly Sequence[]): number {
  return Math.max(...sequences.map(({ ids }) => ids.length));
}

function embeddingOf({ tensors }: Model): Tensor {
  return tensors.get(modelTensorName('embed_tokens'))!;
}

import type { PlmConfig } from '../core/config.ts';
import { invalidInput, PressError, usage } from '../core/errors.ts';
import type { Progress } from '../core/jobs/progress.ts';
import { giveTurn } from '../core/jobs/turns.ts';
import type { Model } from '../core/model.ts';
import { type Compute, openCompute } from '../kernels/compute.ts';
import { arenaStart, MAX_PAGES, PAGE_BYTES } from '../kernels/layout.ts';
import { defaultThreads } from '../kernels/threads.ts';
import { type Allocator, AreaCounter } from './allocator.ts';
import { assertIds } from './assert-ids.ts';
import { type AttentionForm, kvBytesPerToken } from './attention/attention.ts';
import { fillRopeTable } from './attention/rope-table.ts';
import type { Batch } from './batch.ts';
import { Forward, type ForwardSize } from './forward.ts';
import { loadWeights } from './load-weights.ts';
import { type FfnForm, type PlmWeights, placeWeights } from './weights.ts';

export type { AttentionForm } from './attention/attention.ts';
export type { FfnForm } from './weights.ts';

export interface RuntimeOptions {
  /** Positions that the KV cache holds; at most `maxPositionEmbeddings`. */
  readonly contextLength: number;
  /** What the KV cache holds. Default latent, the smaller one. */
  readonly attention?: AttentionForm;
  /**
   * How down_proj is applied. Default dense. `sparse` reads the weights of neurons that fire alone; it holds
   * down_proj transposed, floats as they are and schemes of blocks decoded to F32. Both agree but for
   * roundings of f32.
   */
  readonly ffn?: FfnForm;
  /** Tokens that go through the layers together, 1 at least. Default 128. */
  readonly batch?: number;
  /** Default: `defaultThreads`. */
  readonly threads?: number | undefined;
  /**
   * Bytes of working memory allowed. One WebAssembly memory holds at most 4 GiB in any case. Layers that find
   * no room are read again each time they run.
   */
  readonly maxMemory?: number;
  /** Ends loading and every later call. */
  readonly signal?: AbortSignal | undefined;
  /** Hears of the loading of weights. */
  readonly progress?: Progress | undefined;
}

const DEFAULT_BATCH = 128;

/**
 * The forward pass of a PLM (arXiv 2503.12167) over one sequence: f32 activations, weights in their stored
 * scheme, resident as far as there is room. The results do not depend on threads or batches. One call at a
 * time.
 */
export class PlmRuntime {
  readonly config: PlmConfig;
  readonly contextLength: number;
  readonly kvBytesPerToken: number;
  /** Layers whose weights stay in memory. */
  readonly residentLayers: number;
  readonly #compute: Compute;
  readonly #placed: Placed;
  readonly #batch: number;
  readonly #signal: AbortSignal | undefined;
  #position = 0;

  private constructor(
    config: PlmConfig,
    compute: Compute,
    placed: Placed,
    size: RuntimeSize,
    signal: AbortSignal | undefined,
  ) {
    this.config = config;
    this.contextLength = size.contextLength;
    this.kvBytesPerToken = kvBytesPerToken(config, size.attention);
    this.residentLayers = size.residentLayers;
    this.#compute = compute;
    this.#placed = placed;
    this.#batch = size.batch;
    this.#signal = signal;
  }

  /**
   * Loads the weights of `model`, which stays open until the runtime is closed. Throws `unsupported` for
   * schemes without decoder and for expanded attention of a premultiplied model, `local-io` where not even one
   * layer fits into the working memory beside the rest.
   */
  static async open(model: Model, options: RuntimeOptions): Promise<PlmRuntime> {
    const { config } = model;
    const { contextLength, signal, progress } = options;
    assertContext(config, contextLength);
    const threads = options.threads ?? defaultThreads(model.tensors.values());
    const { size, bytes } = fittingSize(model, options, threads);
    const { numHiddenLayers: layers } = config;
    const passing = layers - size.residentLayers;
    if (passing > 0) {
      const message = `${passing} of ${layers} layers do not fit into memory: they are read again for every step, which is slow`;
      progress?.({ kind: 'note', message });
    }
    const compute = await openCompute({ threads, bytes });
    try {
      const placed = place(model, size, compute);
      fillRopeTable(compute, placed.forward.rope, config.ropeTheta, contextLength);
      await loadWeights(compute, placed.weights.placements, signal, progress);
      return new PlmRuntime(config, compute, placed, size, signal);
    } catch (error) {
      await compute.close();
      throw error;
    }
  }

  /** Bytes of working memory that all weights, the cache and the activations take. */
  static memoryBytes(model: Model, options: RuntimeOptions): number {
    return bytesOf(model, sizeOf(model.config, options, model.config.numHiddenLayers));
  }

  /** Positions filled so far: the position of the next token. */
  get position(): number {
    return this.#position;
  }

  /** Forgets all tokens. */
  reset(): void {
    this.#position = 0;
  }

  /**
   * Appends tokens. Throws `invalid-input` for ids outside the embedding and beyond the context.
   */
  async forward(ids: ArrayLike<number>): Promise<void> {
    for await (const _ of this.#append(ids));
  }

  /**
   * Appends tokens and yields the logits after each, vocabSize values, padding rows included. A row is a view
   * that holds until the next one is asked for. Tokens are appended batch by batch as rows are asked for.
   */
  async *logits(ids: ArrayLike<number>): AsyncGenerator<Float32Array, void> {
    for await (const batch of this.#append(ids)) {
      for (let row = 0; row < batch.tokens; ) {
        const rows = this.#placed.forward.logits(batch, row);
        for (const logits of rows) {
          yield logits;
          await giveTurn(this.#signal);
        }
        row += rows.length;
      }
    }
  }

  /**
   * Appends tokens, one at least, and returns the logits after the last: a view that holds until the next
   * call.
   */
  async next(ids: ArrayLike<number>): Promise<Float32Array> {
    let last: Batch | undefined;
    for await (const batch of this.#append(ids)) last = batch;
    if (last === undefined) throw invalidInput({ what: 'no tokens to continue', expected: 'at least one' });
    return this.#placed.forward.logits(last, last.tokens - 1)[0]!;
  }

  /**
   * Share of the FFN's weights, up_proj and down_proj of all layers, that a token reads, averaged over all
   * tokens since the start: 1 for the dense form; for the sparse one half, and of the other half the share of
   * neurons that fire. 1 before the first token.
   */
  get ffnReadShare(): number {
    return this.#placed.forward.ffnReadShare;
  }

  /** Ends the threads and gives up the memory. */
  async close(): Promise<void> {
    await this.#compute.close();
  }

  async *#append(ids: ArrayLike<number>): AsyncGenerator<Batch, void> {
    this.#check(ids);
    const { forward, weights } = this.#placed;
    const tokens = Int32Array.from(ids);
    for (let first = 0; first < tokens.length; first += this.#batch) {
      const part = tokens.subarray(first, first + this.#batch);
      const batch = forward.embed(this.#compute, part, this.#position);
      for (let layer = 0; layer < this.config.numHiddenLayers; layer++) {
        // Kernels block this thread.
        await giveTurn(this.#signal);
        await loadWeights(this.#compute, weights.layerPlacements[layer]!, this.#signal, undefined);
        forward.layer(batch, layer);
      }
      this.#position += part.length;
      yield batch;
    }
  }

  #check(ids: ArrayLike<number>): void {
    assertIds(ids, this.config);
    const end = this.#position + ids.length;
    if (end > this.contextLength) {
      const expected = `at most ${this.contextLength}, the context`;
      throw invalidInput({ what: 'positions', got: end, expected });
    }
  }
}

/** @throws PressError usage for more positions than the model knows. */
export function assertContext({ maxPositionEmbeddings }: PlmConfig, contextLength: number): void {
  if (contextLength <= maxPositionEmbeddings) return;
  throw usage(
    `a context of ${contextLength} positions`,
    `at most ${maxPositionEmbeddings}, the most that the model knows`,
  );
}

interface RuntimeSize extends ForwardSize {
  readonly ffn: FfnForm;
  readonly residentLayers: number;
}

function sizeOf(
  { numHiddenLayers }: PlmConfig,
  options: RuntimeOptions,
  residentLayers: number,
): RuntimeSize {
  const { contextLength, attention = 'latent', ffn = 'dense', batch = DEFAULT_BATCH } = options;
  return {
    attention,
    ffn,
    contextLength,
    cachedLayers: numHiddenLayers,
    residentLayers,
    batch: Math.min(batch, contextLength),
  };
}

interface Placed {
  readonly weights: PlmWeights;
  readonly forward: Forward;
}

/** Finds room for everything. The same requests in the same order for every allocator. */
function place(model: Model, size: RuntimeSize, allocator: Allocator): Placed {
  const weights = placeWeights(model, size.ffn, size.residentLayers, allocator);
  return { weights, forward: new Forward(model.config, weights, size, allocator) };
}

function bytesOf(model: Model, size: RuntimeSize): number {
  const counter = new AreaCounter();
  place(model, size, counter);
  return counter.bytes;
}

/** As many resident layers as there is room for. */
function fittingSize(
  model: Model,
  options: RuntimeOptions,
  threads: number,
): { readonly size: RuntimeSize; readonly bytes: number } {
  const addressable = MAX_PAGES * PAGE_BYTES - arenaStart(threads);
  const limit = Math.min(options.maxMemory ?? Infinity, addressable);
  let residentLayers = model.config.numHiddenLayers;
  for (;;) {
    const size = sizeOf(model.config, options, residentLayers);
    const bytes = bytesOf(model, size);
    if (bytes <= limit) return { size, bytes };
    if (residentLayers-- === 0) {
      const cache = size.contextLength * kvBytesPerToken(model.config, size.attention);
      const of = `${mebibytes(cache)} of them for the ${size.attention} cache of ${size.contextLength} positions`;
      const limitedBy = limit === addressable ? 'the limit of a WebAssembly memory' : 'the memory limit';
      throw new PressError('local-io', {
        what: `${mebibytes(bytes)} of working memory are needed with one layer at a time, ${of}`,
        expected: `at most ${mebibytes(limit)}, ${limitedBy}`,
      });
    }
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

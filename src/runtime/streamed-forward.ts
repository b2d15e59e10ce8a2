import type { Progress } from '../core/jobs/progress.ts';
import { giveTurn } from '../core/jobs/turns.ts';
import type { Model } from '../core/model.ts';
import { modelTensorName } from '../core/names.ts';
import { byteLength, type RowRange, rowBytes, rowCount, rowRanges, type Tensor } from '../core/tensor.ts';
import { type Compute, openCompute } from '../kernels/compute.ts';
import type { Pointer } from '../kernels/memory.ts';
import { defaultThreads } from '../kernels/threads.ts';
import { type Allocator, AreaCounter, allocFloats } from './allocator.ts';
import { fillRopeTable } from './attention/rope-table.ts';
import type { Batch, Vectors } from './batch.ts';
import { Forward } from './forward.ts';
import { loadWeights } from './load-weights.ts';
import { multiply } from './operations.ts';
import { matrixAt, type Placement, Placer, type PlmWeights, placeLayer } from './weights.ts';

/** Rows of the head that are in memory at once, one row step at least. */
const HEAD_BYTES = 8 << 20;

export interface StreamOptions {
  /** Default: `defaultThreads`. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/**
 * Logits after each of a few tokens, one at least, with the weights of one layer in memory at a time:
 * embeddings are looked up one by one, the head is multiplied in parts. The bits are those of `PlmRuntime`.
 */
export async function streamedLogits(
  model: Model,
  ids: readonly number[],
  options: StreamOptions,
): Promise<Float32Array[]> {
  const { threads = defaultThreads(model.tensors.values()) } = options;
  const bytes = streamedBytes(model, ids.length);
  const compute = await openCompute({ threads, bytes });
  try {
    const places = place(model, ids.length, compute);
    fillRopeTable(compute, places.forward.rope, model.config.ropeTheta, ids.length);
    return await new Stream(model, compute, places, options).logits(ids);
  } finally {
    await compute.close();
  }
}

/** Bytes of working memory that `streamedLogits` takes for so many tokens. */
export function streamedBytes(model: Model, tokens: number): number {
  const counter = new AreaCounter();
  place(model, tokens, counter);
  return counter.bytes;
}

interface Places {
  /** Holds embeddings, then one layer after the other, then parts of the head. */
  readonly area: Pointer;
  readonly layers: readonly (readonly Placement[])[];
  readonly norm: readonly Placement[];
  readonly forward: Forward;
  /** Logits of one part of the head. */
  readonly logits: Pointer;
}

function place(model: Model, tokens: number, allocator: Allocator): Places {
  const { config } = model;
  const [embedding, head] = [embeddingOf(model), headOf(model)];
  const layersAt = (pointer: Pointer) =>
    config.intermediateSizes.map((_, layer) => {
      const area = new AreaCounter(pointer);
      const placer = new Placer(model, area);
      return { weights: placeLayer(config, placer, layer, 'dense'), placer, bytes: area.bytes };
    });
  const part = headRanges(head)[0]!;
  const largest = Math.max(
    ...layersAt(0).map(({ bytes }) => bytes),
    tokens * rowBytes(embedding),
    part.count * rowBytes(head),
  );
  const area = allocator.alloc(largest);
  const layers = layersAt(area);
  const normPlacer = new Placer(model, allocator);
  const embedTokens = matrixAt(area, { ...embedding, shape: [tokens, config.hiddenSize] });
  const weights: PlmWeights = {
    embedTokens,
    lmHead: embedTokens,
    placements: [],
    layers: layers.map((layer) => layer.weights),
    norm: normPlacer.norm(modelTensorName('norm')),
  };
  const size = { attention: 'latent', contextLength: tokens, batch: tokens } as const;
  return {
    area,
    layers: layers.map(({ placer }) => placer.placements),
    norm: normPlacer.placements,
    forward: new Forward(config, weights, size, allocator),
    logits: allocFloats(allocator, tokens * part.count),
  };
}

function embeddingOf({ tensors }: Model): Tensor {
  return tensors.get(modelTensorName('embed_tokens'))!;
}

function headOf({ config, tensors }: Model): Tensor {
  return tensors.get(modelTensorName(config.tieWordEmbeddings ? 'embed_tokens' : 'lm_head'))!;
}

function headRanges(head: Tensor): RowRange[] {
  return [...rowRanges(head, HEAD_BYTES)];
}

class Stream {
  readonly #model: Model;
  readonly #compute: Compute;
  readonly #places: Places;
  readonly #options: StreamOptions;
  #done = 0;

  constructor(model: Model, compute: Compute, places: Places, options: StreamOptions) {
    this.#model = model;
    this.#compute = compute;
    this.#places = places;
    this.#options = options;
  }

  async logits(ids: readonly number[]): Promise<Float32Array[]> {
    const { forward, layers, norm } = this.#places;
    const { signal } = this.#options;
    const total = [...layers.flat().map(({ tensor }) => tensor), headOf(this.#model)].reduce(
      (sum, tensor) => sum + byteLength(tensor),
      0,
    );
    this.#options.progress?.({ kind: 'phase', name: 'self-test', total, unit: 'bytes' });
    await loadWeights(this.#compute, norm, signal, undefined);
    await this.#loadEmbeddings(ids);
    const batch = forward.embed(this.#compute, [...ids.keys()], 0);
    for (const [layer, placements] of layers.entries()) {
      await loadWeights(this.#compute, placements, signal, undefined);
      forward.layer(batch, layer);
      for (const { tensor } of placements) this.#advance(byteLength(tensor), tensor.name);
      // Kernels block this thread.
      await giveTurn(signal);
    }
    return this.#head(batch, forward.headInput(batch));
  }

  async #loadEmbeddings(ids: readonly number[]): Promise<void> {
    const embedding = embeddingOf(this.#model);
    const { rowStep } = embedding;
    const bytes = rowBytes(embedding);
    for (const [index, id] of ids.entries()) {
      const first = id - (id % rowStep);
      const count = Math.min(rowStep, rowCount(embedding) - first);
      const rows = new Uint8Array(count * bytes);
      await embedding.readRows({ first, count }, rows, this.#options.signal);
      const row = rows.subarray((id - first) * bytes, (id - first + 1) * bytes);
      this.#compute.bytes(this.#places.area + index * bytes, bytes).set(row);
    }
  }

  async #head(batch: Batch, x: Vectors): Promise<Float32Array[]> {
    const { area, logits } = this.#places;
    const head = headOf(this.#model);
    const results = Array.from({ length: batch.tokens }, () => new Float32Array(rowCount(head)));
    for (const range of headRanges(head)) {
      const part = matrixAt(area, { ...head, shape: [range.count, ...head.shape.slice(1)] });
      const bytes = range.count * part.rowBytes;
      await head.readRows(range, this.#compute.bytes(area, bytes), this.#options.signal);
      multiply(batch, part, x, { pointer: logits, stride: range.count });
      for (const [token, row] of results.entries()) {
        row.set(this.#compute.floats(logits + 4 * token * range.count, range.count), range.first);
      }
      this.#advance(bytes, head.name);
    }
    return results;
  }

  #advance(bytes: number, item: string): void {
    this.#done += bytes;
    this.#options.progress?.({ kind: 'advance', done: this.#done, item });
  }
}

import { attendedHeadDim, type PlmConfig } from '../core/config.ts';
import type { Pointer, SharedViews } from '../kernels/memory.ts';
import type { Allocator } from './allocator.ts';
import { type Batch, from, sumSquares, type Vectors } from './operations.ts';

/**
 * Where activations meet weights in a layer: the normed input of q_proj and kv_a_proj; the normed latent that kv_b_proj
 * is applied to; in the latent form of attention also, per head, q_nope (of W_UK^T) and the attended latent (of W_UV);
 * the input of o_proj; the normed input of up_proj; the activations that down_proj is applied to. Where kv_b_proj is
 * premultiplied, o_proj reads the attended latent, and `query` and `context` have no channels.
 */
export type Site = 'input' | 'latent' | 'query' | 'context' | 'attended' | 'ffn' | 'activations';

/** Sums over tokens. */
export interface LayerStatistics {
  /** Of squares by channel; heads one after another. */
  readonly squares: Readonly<Record<Site, Float64Array>>;
  /** Tokens for which a neuron of the FFN is above zero. */
  readonly firings: Float64Array;
}

export interface ActivationStatistics {
  readonly tokens: number;
  readonly layers: readonly LayerStatistics[];
  /** Of squares of the normed input of the head. */
  readonly head: Float64Array;
}

interface SiteSize {
  readonly columns: number;
  readonly heads: number;
}

interface LayerPlaces {
  readonly squares: Readonly<Record<Site, Pointer>>;
  readonly firings: Pointer;
}

/** f64 sums of squared activations by channel, in the shared memory. They depend on neither batches nor threads. */
export class ActivationSums {
  readonly #sizes: readonly Readonly<Record<Site, SiteSize>>[];
  readonly #layers: readonly LayerPlaces[];
  readonly #head: Pointer;
  readonly #hiddenSize: number;
  #tokens = 0;

  constructor(config: PlmConfig, allocator: Allocator) {
    this.#sizes = config.intermediateSizes.map((width) => siteSizes(config, width));
    this.#layers = this.#sizes.map((sizes) => ({
      squares: mapSites((site) => allocator.alloc(8 * sizes[site].columns * sizes[site].heads)),
      firings: allocator.alloc(8 * sizes.activations.columns),
    }));
    this.#head = allocator.alloc(8 * config.hiddenSize);
    this.#hiddenSize = config.hiddenSize;
  }

  /** Adds what a layer's matrices are multiplied with. */
  add(batch: Batch, layer: number, site: Site, x: Vectors): void {
    const { columns, heads } = this.#sizes[layer]![site];
    const { squares, firings } = this.#layers[layer]!;
    for (let head = 0; head < heads; head++) {
      const part = heads === 1 ? x : from(x, head * x.headStride!);
      const place = squares[site] + 8 * head * columns;
      sumSquares(batch, part, columns, place, site === 'activations' ? firings : 0);
    }
  }

  /** Adds what the head is multiplied with, the last of a batch. */
  addHead(batch: Batch, x: Vectors): void {
    sumSquares(batch, x, this.#hiddenSize, this.#head, 0);
    this.#tokens += batch.tokens;
  }

  /** Copies of the sums. */
  read(views: SharedViews): ActivationStatistics {
    const layers = this.#layers.map(({ squares, firings }, layer) => {
      const sizes = this.#sizes[layer]!;
      const copy = (pointer: Pointer, { columns, heads }: SiteSize) =>
        views.doubles(pointer, columns * heads).slice();
      return {
        squares: mapSites((site) => copy(squares[site], sizes[site])),
        firings: copy(firings, sizes.activations),
      };
    });
    return { tokens: this.#tokens, layers, head: views.doubles(this.#head, this.#hiddenSize).slice() };
  }
}

function siteSizes(config: PlmConfig, width: number): Record<Site, SiteSize> {
  const { numAttentionHeads: heads, hiddenSize, kvLoraRank, qkNopeHeadDim, kvBForm } = config;
  const factorHeads = kvBForm === 'premultiplied' ? 0 : heads;
  return {
    input: { columns: hiddenSize, heads: 1 },
    latent: { columns: kvLoraRank, heads: 1 },
    query: { columns: qkNopeHeadDim, heads: factorHeads },
    context: { columns: kvLoraRank, heads: factorHeads },
    attended: { columns: heads * attendedHeadDim(config), heads: 1 },
    ffn: { columns: hiddenSize, heads: 1 },
    activations: { columns: width, heads: 1 },
  };
}

function mapSites<T>(make: (site: Site) => T): Record<Site, T> {
  return {
    input: make('input'),
    latent: make('latent'),
    query: make('query'),
    context: make('context'),
    attended: make('attended'),
    ffn: make('ffn'),
    activations: make('activations'),
  };
}

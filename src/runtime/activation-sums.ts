import { attendedHeadDim, type PlmConfig } from '../core/config.ts';
import { SAMPLE_WORDS, SAMPLED_TOKENS } from '../core/statistics.ts';
import type { Pointer, SharedViews } from '../kernels/memory.ts';
import type { Allocator } from './allocator.ts';
import type { Batch, InputSums, Vectors } from './batch.ts';
import { from, sumColumns, sumMoments } from './operations.ts';
import type { Site } from './site.ts';

/** Sites of one vector per token: those of whole matrices. */
export type MomentSite = Exclude<Site, 'query' | 'context' | 'ffnOutput'>;

/** The sums that a runtime collects beside squares. */
export interface StatisticsRequest {
  /** Tokens that will be read in all: those whose firings are kept one by one are spread over them. */
  readonly tokens: number;
  /**
   * Where second moments are wanted, by reading: they may be more than fit at once. Each takes 4 n (n + 1)
   * bytes of working memory in its reading.
   */
  readonly readings: readonly (readonly MomentPlace[])[];
}

/** A site of a layer, or the normed input of the head. */
export type MomentPlace =
  | { readonly layer: number; readonly site: MomentSite }
  | { readonly layer?: undefined; readonly site: 'head' };

/** Sums over tokens, each as often as its text weighs. */
export interface LayerStatistics {
  /** Of squares by channel; heads one after another. */
  readonly squares: Readonly<Record<Site, Float64Array>>;
  /** Of the activations of the FFN. */
  readonly activations: Float64Array;
  /** Tokens for which a neuron of the FFN is above zero. */
  readonly firings: Float64Array;
  /** For each neuron `SAMPLE_WORDS` words of 16 tokens: which of the tokens kept set it off. */
  readonly fired: Uint16Array;
}

export interface ActivationStatistics {
  readonly tokens: number;
  readonly layers: readonly LayerStatistics[];
  /** Of squares of the normed input of the head. */
  readonly head: Float64Array;
  /** Of the reading, in its order: upper triangles row by row: views that hold until the runtime goes on. */
  readonly moments: readonly Float64Array[];
}

interface SiteSize {
  readonly columns: number;
  readonly heads: number;
}

interface LayerPlaces {
  readonly squares: Readonly<Record<Site, Pointer>>;
  readonly activations: Pointer;
  readonly firings: Pointer;
  readonly fired: Uint16Array;
}

type MomentArea = MomentPlace & { readonly pointer: Pointer; readonly columns: number };

/** f64 sums by channel, in the shared memory. They depend on neither batches nor threads. */
export class ActivationSums implements InputSums {
  readonly #request: StatisticsRequest;
  readonly #sizes: readonly Readonly<Record<Site, SiteSize>>[];
  readonly #layers: readonly LayerPlaces[];
  readonly #head: Pointer;
  /** Room for the second moments of any reading. */
  readonly #arena: Pointer;
  #moments: readonly MomentArea[] = [];
  readonly #hiddenSize: number;
  /** Tokens by weight, and tokens read. */
  readonly #counts = new Float64Array(2);
  /** The weight of a token from now on. */
  weight = 1;

  constructor(config: PlmConfig, request: StatisticsRequest, allocator: Allocator) {
    this.#request = request;
    this.#sizes = config.intermediateSizes.map((width) => siteSizes(config, width));
    this.#layers = this.#sizes.map((sizes) => ({
      squares: mapSites((site) => allocator.alloc(8 * sizes[site].columns * sizes[site].heads)),
      activations: allocator.alloc(8 * sizes.activations.columns),
      firings: allocator.alloc(8 * sizes.activations.columns),
      fired: new Uint16Array(sizes.activations.columns * SAMPLE_WORDS),
    }));
    this.#head = allocator.alloc(8 * config.hiddenSize);
    this.#hiddenSize = config.hiddenSize;
    const bytes = request.readings.map((moments) => this.#placed(0, moments).end);
    this.#arena = allocator.alloc(Math.max(0, ...bytes));
  }

  /** Forgets all sums and begins reading number `reading`. */
  begin(views: SharedViews, reading: number): void {
    this.#moments = this.#placed(this.#arena, this.#request.readings[reading]!).areas;
    for (const bytes of this.state(views)) bytes.fill(0);
    this.weight = 1;
  }

  /** Adds what a layer's matrices are multiplied with. */
  add(batch: Batch, layer: number, site: Site, x: Vectors): void {
    const { columns, heads } = this.#sizes[layer]![site];
    const { squares, activations, firings } = this.#layers[layer]!;
    const { weight } = this;
    for (let head = 0; head < heads; head++) {
      const part = heads === 1 ? x : from(x, head * x.headStride!);
      const places = { squares: squares[site] + 8 * head * columns };
      const neurons = site === 'activations' ? { sums: activations, positives: firings } : {};
      sumColumns(batch, part, columns, { weight, ...places, ...neurons });
    }
    this.#addMoments(batch, { layer, site }, x);
    if (site === 'activations') this.#sample(batch, layer, x);
  }

  /** Adds what the head is multiplied with, the last of a batch. */
  addHead(batch: Batch, x: Vectors): void {
    sumColumns(batch, x, this.#hiddenSize, { weight: this.weight, squares: this.#head });
    this.#addMoments(batch, { site: 'head' }, x);
    this.#counts[0]! += this.weight * batch.tokens;
    this.#counts[1]! += batch.tokens;
  }

  /** Copies of the sums; of second moments views. */
  read(views: SharedViews): ActivationStatistics {
    const layers = this.#layers.map(({ squares, activations, firings, fired }, layer) => {
      const sizes = this.#sizes[layer]!;
      const copy = (pointer: Pointer, { columns, heads }: SiteSize) =>
        views.doubles(pointer, columns * heads).slice();
      return {
        squares: mapSites((site) => copy(squares[site], sizes[site])),
        activations: copy(activations, sizes.activations),
        firings: copy(firings, sizes.activations),
        fired: fired.slice(),
      };
    });
    const head = views.doubles(this.#head, this.#hiddenSize).slice();
    return { tokens: this.#counts[0]!, layers, head, moments: this.#triangles(views) };
  }

  /**
   * Everything that has been summed up, as views: what is copied from them, and later into those of another
   * runtime of the same model and request, goes on there.
   */
  state(views: SharedViews): Uint8Array[] {
    const layers = this.#layers.flatMap(({ squares, activations, firings, fired }, layer) => {
      const sizes = this.#sizes[layer]!;
      const neurons = sizes.activations.columns;
      return [
        ...SITES.map((site) => views.bytes(squares[site], 8 * sizes[site].columns * sizes[site].heads)),
        ...[activations, firings].map((pointer) => views.bytes(pointer, 8 * neurons)),
        bytesOf(fired),
      ];
    });
    const moments = this.#triangles(views).map(bytesOf);
    return [...layers, views.bytes(this.#head, 8 * this.#hiddenSize), ...moments, bytesOf(this.#counts)];
  }

  #triangles(views: SharedViews): Float64Array[] {
    return this.#moments.map(({ pointer, columns }) => views.doubles(pointer, triangleSize(columns)));
  }

  #placed(start: Pointer, moments: readonly MomentPlace[]) {
    let end = start;
    const areas = moments.map((place): MomentArea => {
      const columns =
        place.site === 'head' ? this.#hiddenSize : this.#sizes[place.layer]![place.site].columns;
      const pointer = end;
      end += 8 * triangleSize(columns);
      return { ...place, pointer, columns };
    });
    return { areas, end };
  }

  #addMoments(batch: Batch, place: Pick<MomentPlace, 'layer'> & { readonly site: string }, x: Vectors): void {
    const area = this.#moments.find(({ layer, site }) => layer === place.layer && site === place.site);
    if (area !== undefined) sumMoments(batch, x, area.columns, this.weight, area.pointer);
  }

  /** Notes which neurons fire at every so many tokens. */
  #sample({ compute, tokens }: Batch, layer: number, x: Vectors): void {
    const { fired } = this.#layers[layer]!;
    const { columns } = this.#sizes[layer]!.activations;
    for (let t = 0; t < tokens; t++) {
      const sample = sampleOf(this.#counts[1]! + t, this.#request.tokens);
      if (sample === undefined) continue;
      const values = compute.floats(x.pointer + 4 * t * x.stride, columns);
      const [word, bit] = [sample >> 4, 1 << (sample & 15)];
      for (let c = 0; c < columns; c++) if (values[c]! > 0) fired[c * SAMPLE_WORDS + word]! |= bit;
    }
  }
}

/** Which of the sampled tokens, spread over all `tokens`, token number `token` is; undefined: none. */
export function sampleOf(token: number, tokens: number): number | undefined {
  const sample = token / Math.max(1, Math.ceil(tokens / SAMPLED_TOKENS));
  return Number.isInteger(sample) && sample < SAMPLED_TOKENS ? sample : undefined;
}

/** Entries of a symmetric matrix of `n` rows. */
export function triangleSize(n: number): number {
  return (n * (n + 1)) / 2;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

export function siteSizes(config: PlmConfig, width: number): Record<Site, SiteSize> {
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
    ffnOutput: { columns: hiddenSize, heads: 1 },
  };
}

export const SITES: readonly Site[] = [
  'input',
  'latent',
  'query',
  'context',
  'attended',
  'ffn',
  'activations',
  'ffnOutput',
];

export function mapSites<T>(make: (site: Site) => T): Record<Site, T> {
  return Object.fromEntries(SITES.map((site) => [site, make(site)])) as Record<Site, T>;
}

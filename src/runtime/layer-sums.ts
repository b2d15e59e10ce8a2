import { attendedHeadDim, type PlmConfig } from '../core/config.ts';
import type { Turns } from '../core/jobs/turns.ts';
import { SAMPLE_WORDS, SAMPLED_TOKENS, triangleSize } from '../core/statistics.ts';
import type { Compute } from '../kernels/compute.ts';
import type { Pointer, SharedViews } from '../kernels/memory.ts';
import { type Allocator, allocFloats } from './allocator.ts';
import type { Batch, InputSums, Vectors } from './batch.ts';
import { from, sumColumns } from './operations.ts';
import { addSecondMoments, listBytes } from './second-moments.ts';
import type { Site } from './site.ts';

/** Where second moments can be gathered: sites of one vector per token, and the normed input of the head. */
export type MomentSite = Exclude<Site, 'query' | 'context' | 'ffnOutput'> | 'head';

/** The sums that are collected beside squares. */
export interface SumsRequest {
  /** Tokens that will be read in all: those whose firings are kept one by one are spread over them. */
  readonly tokens: number;
  readonly moments: ReadonlySet<MomentSite>;
}

/** Sums over all tokens, each as often as its text weighs. */
export interface LayerStatistics {
  /** Of squares by channel; heads one after another. */
  readonly squares: Readonly<Record<Site, Float64Array>>;
  /** Of the activations of the FFN. */
  readonly activations: Float64Array;
  /** Tokens for which a neuron of the FFN is above zero. */
  readonly firings: Float64Array;
  /** For each neuron `SAMPLE_WORDS` words of 16 tokens: which of the tokens kept set it off. */
  readonly fired: Uint16Array;
  /** Upper triangles row by row: views that hold until the next layer. */
  readonly moments: ReadonlyMap<MomentSite, Float64Array>;
}

export interface HeadStatistics {
  /** Of squares of the normed input of the head. */
  readonly squares: Float64Array;
  /** An upper triangle row by row; undefined where it was not asked for. */
  readonly moments: Float64Array | undefined;
}

interface SiteSize {
  readonly columns: number;
  readonly heads: number;
}

/** Vectors of a site that wait until their second moments are worth summing up, and the sums. */
interface Gathered {
  readonly columns: number;
  readonly vectors: Pointer;
  readonly moments: Pointer;
  tokens: number;
}

/**
 * Tokens whose second moments are summed up together. The sums are read and written once for all of them: of
 * 8,192 channels they have 268 MB.
 */
const GATHERED_TOKENS = 512;

/**
 * Sums over the tokens of one layer after the other, f64 in the shared memory. They depend on neither threads
 * nor, but for second moments, batches.
 */
export class LayerSums implements InputSums {
  readonly #config: PlmConfig;
  readonly #allTokens: number;
  readonly #squares: Readonly<Record<Site, Pointer>>;
  readonly #activations: Pointer;
  readonly #firings: Pointer;
  readonly #head: Pointer;
  readonly #gathered: ReadonlyMap<MomentSite, Gathered>;
  /** Room for the non-zeros of the widest site. */
  readonly #lists: Pointer;
  /** Number of the next token of the layer. */
  #token = 0;
  #weight = 1;
  #gathers = true;
  #layer = 0;
  #fired = new Uint16Array();

  constructor(config: PlmConfig, request: SumsRequest, allocator: Allocator) {
    this.#config = config;
    this.#allTokens = request.tokens;
    const sizes = siteSizes(config, Math.max(...config.intermediateSizes));
    this.#squares = mapSites((site) => allocator.alloc(8 * sizes[site].columns * sizes[site].heads));
    this.#activations = allocator.alloc(8 * sizes.activations.columns);
    this.#firings = allocator.alloc(8 * sizes.activations.columns);
    this.#head = allocator.alloc(8 * config.hiddenSize);
    const columnsOf = (site: MomentSite) => (site === 'head' ? config.hiddenSize : sizes[site].columns);
    this.#gathered = new Map(
      [...request.moments].map((site) => {
        const columns = columnsOf(site);
        const vectors = allocFloats(allocator, GATHERED_TOKENS * columns);
        const moments = allocator.alloc(8 * triangleSize(columns));
        return [site, { columns, vectors, moments, tokens: 0 }];
      }),
    );
    const widest = Math.max(0, ...[...this.#gathered.values()].map(({ columns }) => columns));
    this.#lists = allocator.alloc(listBytes(widest, GATHERED_TOKENS));
  }

  /** Forgets all sums and begins with a layer, or with the head; `moments`: with second moments. */
  begin(views: SharedViews, layer: number | 'head', moments = true): void {
    const clear = (pointer: Pointer, count: number) => views.doubles(pointer, count).fill(0);
    this.#token = 0;
    this.#weight = 1;
    this.#gathers = moments;
    if (layer === 'head') clear(this.#head, this.#config.hiddenSize);
    else {
      this.#layer = layer;
      const sizes = this.#sizes;
      for (const site of SITES) clear(this.#squares[site], sizes[site].columns * sizes[site].heads);
      for (const pointer of [this.#activations, this.#firings]) clear(pointer, sizes.activations.columns);
      this.#fired = new Uint16Array(sizes.activations.columns * SAMPLE_WORDS);
    }
    for (const [site, gathered] of this.#gathered) {
      gathered.tokens = 0;
      if (moments && (site === 'head') === (layer === 'head')) {
        clear(gathered.moments, triangleSize(this.#columns(site, gathered)));
      }
    }
  }

  /** Adds what a layer's matrices are multiplied with. */
  add(batch: Batch, site: Site, x: Vectors): void {
    const { columns, heads } = this.#sizes[site];
    for (let head = 0; head < heads; head++) {
      const part = heads === 1 ? x : from(x, head * x.headStride!);
      const places = { squares: this.#squares[site] + 8 * head * columns };
      const neurons =
        site === 'activations' ? { sums: this.#activations, positives: this.#firings } : undefined;
      sumColumns(batch, part, columns, { weight: this.#weight, ...places, ...neurons });
    }
    if (site !== 'query' && site !== 'context' && site !== 'ffnOutput') this.#gather(batch, site, x);
    if (site !== 'activations') return;
    this.#sample(batch, x);
    this.#token += batch.tokens;
  }

  /** Adds what the head is multiplied with. */
  addHead(batch: Batch, x: Vectors): void {
    sumColumns(batch, x, this.#config.hiddenSize, { weight: this.#weight, squares: this.#head });
    this.#gather(batch, 'head', x);
  }

  /** The weight of tokens from now on. */
  async weigh(weight: number, compute: Compute, turns: Turns): Promise<void> {
    if (weight !== this.#weight) await this.settle(compute, turns);
    this.#weight = weight;
  }

  /** Makes room for a batch of so many tokens. */
  async makeRoom(tokens: number, compute: Compute, turns: Turns): Promise<void> {
    const isFull = [...this.#gathered.values()].some((site) => site.tokens + tokens > GATHERED_TOKENS);
    if (isFull) await this.settle(compute, turns);
  }

  /** Sums up the second moments of all tokens so far. */
  async settle(compute: Compute, turns: Turns): Promise<void> {
    for (const [site, gathered] of this.#gathered) {
      const { vectors, moments, tokens } = gathered;
      if (tokens === 0) continue;
      const columns = this.#columns(site, gathered);
      const x = { x: vectors, tokenStride: columns, columns, tokens };
      await addSecondMoments(compute, { ...x, weight: this.#weight, moments, lists: this.#lists }, turns);
      gathered.tokens = 0;
    }
  }

  /** Copies of the sums of the layer; of second moments views. */
  layer(views: SharedViews): LayerStatistics {
    const sizes = this.#sizes;
    const copy = (pointer: Pointer, { columns, heads }: SiteSize) =>
      views.doubles(pointer, columns * heads).slice();
    const moments = new Map<MomentSite, Float64Array>();
    for (const [site, gathered] of this.#gathered) {
      if (site !== 'head' && this.#gathers) moments.set(site, this.#triangle(views, site, gathered));
    }
    return {
      squares: mapSites((site) => copy(this.#squares[site], sizes[site])),
      activations: copy(this.#activations, sizes.activations),
      firings: copy(this.#firings, sizes.activations),
      fired: this.#fired,
      moments,
    };
  }

  /** The same of the head. */
  head(views: SharedViews): HeadStatistics {
    const gathered = this.#gathered.get('head');
    return {
      squares: views.doubles(this.#head, this.#config.hiddenSize).slice(),
      moments: gathered && this.#triangle(views, 'head', gathered),
    };
  }

  get #sizes(): Record<Site, SiteSize> {
    return siteSizes(this.#config, this.#config.intermediateSizes[this.#layer]!);
  }

  /** Layers may differ in the neurons of their FFN. */
  #columns(site: MomentSite, { columns }: Gathered): number {
    return site === 'activations' ? this.#sizes.activations.columns : columns;
  }

  #triangle(views: SharedViews, site: MomentSite, gathered: Gathered): Float64Array {
    return views.doubles(gathered.moments, triangleSize(this.#columns(site, gathered)));
  }

  #gather({ compute, tokens }: Batch, site: MomentSite, x: Vectors): void {
    const gathered = this.#gathered.get(site);
    if (gathered === undefined || !this.#gathers) return;
    const columns = this.#columns(site, gathered);
    for (let t = 0; t < tokens; t++, gathered.tokens++) {
      const vector = compute.floats(x.pointer + 4 * t * x.stride, columns);
      compute.floats(gathered.vectors + 4 * gathered.tokens * columns, columns).set(vector);
    }
  }

  /** Notes which neurons fire at every so many tokens. */
  #sample({ compute, tokens }: Batch, x: Vectors): void {
    const { columns } = this.#sizes.activations;
    for (let t = 0; t < tokens; t++) {
      const sample = sampleOf(this.#token + t, this.#allTokens);
      if (sample === undefined) continue;
      const values = compute.floats(x.pointer + 4 * t * x.stride, columns);
      const [word, bit] = [sample >> 4, 1 << (sample & 15)];
      for (let c = 0; c < columns; c++) if (values[c]! > 0) this.#fired[c * SAMPLE_WORDS + word]! |= bit;
    }
  }
}

/** Which of the sampled tokens, spread over all `tokens`, token number `token` is; undefined: none. */
export function sampleOf(token: number, tokens: number): number | undefined {
  const sample = token / Math.max(1, Math.ceil(tokens / SAMPLED_TOKENS));
  return Number.isInteger(sample) && sample < SAMPLED_TOKENS ? sample : undefined;
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

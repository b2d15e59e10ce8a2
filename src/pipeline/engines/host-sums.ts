import type { PlmConfig } from '../../core/config.ts';
import { SAMPLE_WORDS, triangleSize } from '../../core/statistics.ts';
import {
  type HeadStatistics,
  type LayerStatistics,
  type MomentSite,
  mapSites,
  SITES,
  sampleOf,
  siteSizes,
} from '../../runtime/layer-sums.ts';
import type { LayerPlaces, Run } from '../../webgpu/statistics/sum-places.ts';
import type { StageResult } from '../../webgpu/statistics/summed-stage.ts';

/** Sums in f64 of the sums in f32 that a GPU gives of every batch of a layer. */
export class HostLayerSums {
  readonly statistics: LayerStatistics;
  readonly #allTokens: number;

  /** `tokens`: that will be read in all. `moments`: summed up elsewhere. */
  constructor(
    config: PlmConfig,
    layer: number,
    tokens: number,
    moments: ReadonlyMap<MomentSite, Float64Array>,
  ) {
    const width = config.intermediateSizes[layer]!;
    const sizes = siteSizes(config, width);
    this.statistics = {
      squares: mapSites((site) => new Float64Array(sizes[site].columns * sizes[site].heads)),
      activations: new Float64Array(width),
      firings: new Float64Array(width),
      fired: new Uint16Array(width * SAMPLE_WORDS),
      moments,
    };
    this.#allTokens = tokens;
  }

  /** Adds the sums of a batch, whose first token is number `first` of all. */
  add(result: StageResult, places: LayerPlaces, batch: HostBatch): void {
    const { squares, activations } = this.statistics;
    for (const site of SITES) addFloats(squares[site], result, places[site], batch);
    addFloats(activations, result, places.activationSums, batch);
    this.#addFirings(result, places.fired, batch);
  }

  #addFirings({ words }: StageResult, { first: from, count }: Run, { first, tokens, weight }: HostBatch) {
    const { firings, fired } = this.statistics;
    const bits = words.subarray(from, from + count);
    for (let neuron = 0; neuron < count; neuron++) firings[neuron]! += weight * bitCount(bits[neuron]!);
    for (let token = 0; token < tokens; token++) {
      const sample = sampleOf(first + token, this.#allTokens);
      if (sample === undefined) continue;
      const [word, bit] = [sample >> 4, 1 << (sample & 15)];
      for (let neuron = 0; neuron < count; neuron++) {
        if ((bits[neuron]! >>> token) & 1) fired[neuron * SAMPLE_WORDS + word]! |= bit;
      }
    }
  }
}

/** The same for what the head is multiplied with. */
export class HostHeadSums {
  readonly statistics: HeadStatistics;

  constructor(config: PlmConfig, moments: Float64Array | undefined) {
    this.statistics = { squares: new Float64Array(config.hiddenSize), moments };
  }

  add(result: StageResult, { head }: { readonly head: Run }, batch: HostBatch): void {
    addFloats(this.statistics.squares, result, head, batch);
  }
}

/** Tokens that a GPU has read together. */
export interface HostBatch {
  /** Number of the first of them. */
  readonly first: number;
  readonly tokens: number;
  readonly weight: number;
}

/** The second moments of one layer after the other, in the same memory. */
export class HostTriangles {
  readonly #config: PlmConfig;
  readonly #memory: ReadonlyMap<MomentSite, Float64Array>;

  constructor(config: PlmConfig, sites: ReadonlySet<MomentSite>) {
    this.#config = config;
    const widest = Math.max(...config.intermediateSizes);
    this.#memory = new Map(
      [...sites].map((site) => [site, new Float64Array(triangleSize(this.#columns(site, widest)))]),
    );
  }

  /** Zeros for a layer, or for the head. */
  begin(layer: number | 'head'): Map<MomentSite, Float64Array> {
    const width = layer === 'head' ? 0 : this.#config.intermediateSizes[layer]!;
    const sites = [...this.#memory].filter(([site]) => (site === 'head') === (layer === 'head'));
    return new Map(
      sites.map(([site, memory]) => [
        site,
        memory.subarray(0, triangleSize(this.#columns(site, width))).fill(0),
      ]),
    );
  }

  #columns(site: MomentSite, width: number): number {
    return site === 'head' ? this.#config.hiddenSize : siteSizes(this.#config, width)[site].columns;
  }
}

function addFloats(
  sums: Float64Array,
  { floats }: StageResult,
  { first, count }: Run,
  { weight }: HostBatch,
): void {
  for (let i = 0; i < count; i++) sums[i]! += weight * floats[first + i]!;
}

function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

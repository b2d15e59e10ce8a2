import type { PlmConfig } from '../../core/config.ts';
import { SAMPLE_WORDS } from '../../core/statistics.ts';
import {
  type ActivationStatistics,
  type LayerStatistics,
  mapSites,
  SITES,
  sampleOf,
  siteSizes,
} from '../../runtime/activation-sums.ts';
import type { BatchSums } from '../../webgpu/statistics/statistics-engine.ts';
import type { LayerSums, Run, SumPlaces } from '../../webgpu/statistics/sum-places.ts';

/** Sums in f64 of the sums in f32 that a GPU gives of every batch, without second moments. */
export class HostSums {
  readonly #layers: readonly LayerStatistics[];
  readonly #head: Float64Array;
  readonly #allTokens: number;
  /** Tokens by weight, and tokens read. */
  readonly #counts = new Float64Array(2);
  /** The weight of a token from now on. */
  weight = 1;

  /** `tokens`: that will be read in all. */
  constructor(config: PlmConfig, tokens: number) {
    this.#layers = config.intermediateSizes.map((width) => {
      const sizes = siteSizes(config, width);
      return {
        squares: mapSites((site) => new Float64Array(sizes[site].columns * sizes[site].heads)),
        activations: new Float64Array(width),
        firings: new Float64Array(width),
        fired: new Uint16Array(width * SAMPLE_WORDS),
      };
    });
    this.#head = new Float64Array(config.hiddenSize);
    this.#allTokens = tokens;
  }

  clear(): void {
    for (const bytes of this.state()) bytes.fill(0);
    this.weight = 1;
  }

  add(batch: BatchSums, places: SumPlaces): void {
    for (const [layer, sums] of this.#layers.entries()) this.#addLayer(batch, sums, places.layers[layer]!);
    this.#addFloats(this.#head, batch, places.head);
    this.#counts[0]! += this.weight * batch.tokens;
    this.#counts[1]! += batch.tokens;
  }

  read(): ActivationStatistics {
    return { tokens: this.#counts[0]!, layers: this.#layers, head: this.#head, moments: [] };
  }

  /** Everything as views: what is copied from them, and later into those of other sums, goes on there. */
  state(): Uint8Array[] {
    const layers = this.#layers.flatMap(({ squares, activations, firings, fired }) => [
      ...Object.values(squares),
      ...[activations, firings, fired],
    ]);
    return [...layers, this.#head, this.#counts].map(
      ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
    );
  }

  #addLayer(batch: BatchSums, { squares, activations, firings, fired }: LayerStatistics, places: LayerSums) {
    for (const site of SITES) this.#addFloats(squares[site], batch, places[site]);
    this.#addFloats(activations, batch, places.activationSums);
    const { first, count } = places.fired;
    const bits = batch.words.subarray(first, first + count);
    for (let neuron = 0; neuron < count; neuron++) firings[neuron]! += this.weight * bitCount(bits[neuron]!);
    for (let token = 0; token < batch.tokens; token++) {
      const sample = sampleOf(this.#counts[1]! + token, this.#allTokens);
      if (sample === undefined) continue;
      const [word, bit] = [sample >> 4, 1 << (sample & 15)];
      for (let neuron = 0; neuron < count; neuron++) {
        if ((bits[neuron]! >>> token) & 1) fired[neuron * SAMPLE_WORDS + word]! |= bit;
      }
    }
  }

  #addFloats(sums: Float64Array, { floats }: BatchSums, { first, count }: Run): void {
    for (let i = 0; i < count; i++) sums[i]! += this.weight * floats[first + i]!;
  }
}

function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

import { nearestInt } from '../nearest-int.ts';
import { sumOfSquares, weighErrors } from './error-weights.ts';
import { fitOffset, type OffsetFit, type OffsetSearch, WEIGHTED_SEARCH } from './offset-scale.ts';
import { fitPositive } from './positive-scale.ts';

const SUPER_BLOCK = 256;
const { fround } = Math;

/** How a scheme of super-blocks fits its groups as d * scale * code - dmin * min. */
export interface OffsetScheme {
  readonly groupSize: number;
  /** Largest code of a weight. */
  readonly largestCode: number;
  /** Largest code of a group's scale and of its min. */
  readonly largestScale: number;
  /** Without importances. */
  readonly search: OffsetSearch;
  /** Weight of the error of each of the group's weights, without importances. */
  readonly weigh: (x: Float32Array, first: number, weights: Float32Array) => void;
  /** With importances: share of the mean square that is added to each x^2. */
  readonly varianceShare: number;
}

/**
 * What a super-block stores: scales and mins in floats and in codes, and a code of 0 .. largestCode a weight.
 */
export class OffsetGroups {
  readonly codes = new Uint8Array(SUPER_BLOCK);
  readonly scales: Float32Array;
  readonly mins: Float32Array;
  readonly scaleCodes: Uint8Array;
  readonly minCodes: Uint8Array;
  readonly #scheme: OffsetScheme;
  readonly #weights: Float32Array;
  readonly #weightSums: Float32Array;
  readonly #fit: OffsetFit = { scale: 0, min: 0 };

  constructor(scheme: OffsetScheme) {
    this.#scheme = scheme;
    this.#weights = new Float32Array(scheme.groupSize);
    const groups = SUPER_BLOCK / scheme.groupSize;
    this.scales = new Float32Array(groups);
    this.mins = new Float32Array(groups);
    this.#weightSums = new Float32Array(groups);
    this.scaleCodes = new Uint8Array(groups);
    this.minCodes = new Uint8Array(groups);
  }

  /** Fits every group by itself, without importances. Returns the largest scale and min, at least 0. */
  fitPlain(x: Float32Array): { maxScale: number; maxMin: number } {
    const { search, weigh, groupSize } = this.#scheme;
    let [maxScale, maxMin] = [0, 0];
    for (let group = 0; group < this.scales.length; group++) {
      weigh(x, group * groupSize, this.#weights);
      this.#fitGroup(x, group, search);
      if (this.scales[group]! > maxScale) maxScale = this.scales[group]!;
      if (this.mins[group]! > maxMin) maxMin = this.mins[group]!;
    }
    return { maxScale, maxMin };
  }

  /** Fits groups, then the codes of their scales and mins, by importances. Returns d and dmin. */
  fitWeighted(x: Float32Array, importance: Float32Array): { d: number; dmin: number } {
    const { groupSize, varianceShare, largestScale } = this.#scheme;
    const variance = fround(fround(varianceShare * sumOfSquares(x, 0, SUPER_BLOCK)) / SUPER_BLOCK);
    for (let group = 0; group < this.scales.length; group++) {
      const first = group * groupSize;
      weighErrors(x, first, importance.subarray(first, first + groupSize), variance, this.#weights);
      this.#weightSums[group] = this.#weights.reduce((sum, weight) => fround(sum + weight), 0);
      this.#fitGroup(x, group, WEIGHTED_SEARCH);
    }
    const d = fitPositive(this.scales, this.#weightSums, largestScale, this.scaleCodes);
    const dmin = fitPositive(this.mins, this.#weightSums, largestScale, this.minCodes);
    return { d, dmin };
  }

  /**
   * Codes of the weights under the stored scales. Groups whose scale vanished keep the codes of their own
   * fit.
   */
  encode(x: Float32Array, d: number, dmin: number): void {
    const { groupSize, largestCode } = this.#scheme;
    for (let group = 0; group < this.scales.length; group++) {
      const step = fround(d * this.scaleCodes[group]!);
      if (step === 0) continue;
      const min = fround(dmin * this.minCodes[group]!);
      for (let i = group * groupSize; i < (group + 1) * groupSize; i++) {
        const code = nearestInt(fround(fround(x[i]! + min) / step));
        this.codes[i] = Math.max(0, Math.min(largestCode, code));
      }
    }
  }

  #fitGroup(x: Float32Array, group: number, search: OffsetSearch): void {
    const { groupSize, largestCode } = this.#scheme;
    fitOffset(x, group * groupSize, this.#weights, largestCode, search, this.codes, this.#fit);
    this.scales[group] = this.#fit.scale;
    this.mins[group] = this.#fit.min;
  }
}

/** Root mean square plus |x|, for groups of 32: large weights count more, small ones do not vanish. */
export function weighByMagnitude(x: Float32Array, first: number, weights: Float32Array): void {
  const mean = fround(Math.sqrt(fround(sumOfSquares(x, first, weights.length) / weights.length)));
  for (let i = 0; i < weights.length; i++) weights[i] = mean + Math.abs(x[first + i]!);
}

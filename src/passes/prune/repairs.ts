import type { Model } from '../../core/model.ts';
import { layerGgufName } from '../../core/names.ts';
import type { Statistics } from '../../core/statistics.ts';
import { leastSquares, type Repair } from './least-squares.ts';

/**
 * Bytes of repairs that are kept between being measured and being used; those beyond are solved for again.
 */
const KEPT_REPAIR_BYTES = 128 << 20;

/** A layer and which of its neurons stay. */
export interface PrunedLayer {
  readonly model: Model;
  readonly statistics: Statistics;
  readonly layer: number;
  /** Ascending. */
  readonly kept: Int32Array;
  readonly removed: Int32Array;
  readonly damping: number;
}

/** Repairs by layer. Those that were dropped are solved for again. */
export class Repairs {
  readonly #kept = new Map<number, Promise<Repair>>();
  #bytes = 0;
  #latest: { readonly layer: number; readonly repair: Promise<Repair> } | undefined;

  keep(layer: number, repair: Repair): void {
    this.#bytes += repair.correction.byteLength;
    if (this.#bytes <= KEPT_REPAIR_BYTES) this.#kept.set(layer, Promise.resolve(repair));
  }

  of(pruned: PrunedLayer, signal?: AbortSignal): Promise<Repair> {
    const kept = this.#kept.get(pruned.layer);
    if (kept !== undefined) return kept;
    if (this.#latest?.layer !== pruned.layer) {
      this.#latest = { layer: pruned.layer, repair: solve(pruned, signal) };
    }
    return this.#latest.repair;
  }
}

async function solve(
  { statistics, layer, kept, removed, damping }: PrunedLayer,
  signal?: AbortSignal,
): Promise<Repair> {
  const moments = statistics.moments.get(layerGgufName('down_proj', layer)!)!;
  const triangle = await moments.triangle([...kept, ...removed], signal);
  return leastSquares(triangle, kept.length, removed.length, damping, signal);
}

import type { Model } from '../../core/model.ts';
import { layerGgufName, layerTensorName } from '../../core/names.ts';
import { rowCount, type Tensor } from '../../core/tensor.ts';
import type { Regress } from '../regression.ts';
import type { MeasuredStatistics } from '../rounding/activations.ts';
import { decodedRows } from '../rows/float-rows.ts';
import { leastSquares, type Repair } from './least-squares.ts';

/**
 * Bytes of repairs that are kept between being measured and being used; those beyond are solved for again.
 */
const KEPT_REPAIR_BYTES = 128 << 20;

/** A layer and which of its neurons stay. */
export interface PrunedLayer {
  readonly model: Model;
  readonly statistics: MeasuredStatistics;
  readonly layer: number;
  /** Ascending. */
  readonly kept: Int32Array;
  readonly removed: Int32Array;
  readonly damping: number;
}

/** Repairs by layer. Those that were dropped are solved for again. */
export class Repairs {
  readonly #regress: Regress;
  readonly #kept = new Map<number, Promise<Repair>>();
  #bytes = 0;
  #latest: { readonly layer: number; readonly repair: Promise<Repair> } | undefined;

  constructor(regress: Regress) {
    this.#regress = regress;
  }

  /**
   * Solves for the repair of a layer, and keeps it. `triangle` holds the second moments of its neurons, and
   * afterwards what `leastSquares` leaves there.
   */
  async solve(pruned: PrunedLayer, triangle: Float64Array, work: Work): Promise<Repair> {
    const repair = await this.#solve(pruned, triangle, work);
    this.#bytes += repair.correction.byteLength;
    if (this.#bytes <= KEPT_REPAIR_BYTES) this.#kept.set(pruned.layer, Promise.resolve(repair));
    return repair;
  }

  of(pruned: PrunedLayer, signal?: AbortSignal): Promise<Repair> {
    const kept = this.#kept.get(pruned.layer);
    if (kept !== undefined) return kept;
    if (this.#latest?.layer !== pruned.layer) {
      const repair = momentsOf(pruned, signal).then((moments) => this.#solve(pruned, moments!, { signal }));
      this.#latest = { layer: pruned.layer, repair };
    }
    return this.#latest.repair;
  }

  async #solve(
    { model, layer, kept, removed, damping }: PrunedLayer,
    triangle: Float64Array,
    { onProgress, signal }: Work,
  ): Promise<Repair> {
    const down = model.tensors.get(layerTensorName('down_proj', layer))!;
    const weights = await columnsOf(down, removed, signal);
    const problem = { triangle, pivots: kept.length, weights, ...(onProgress && { onProgress }) };
    return leastSquares(problem, damping, this.#regress, signal);
  }
}

interface Work {
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The second moments of the kept, then of the removed neurons of a layer, if the statistics have any. */
export async function momentsOf(
  { statistics, layer, kept, removed }: PrunedLayer,
  signal?: AbortSignal,
): Promise<Float64Array | undefined> {
  const moments = statistics.inputs.get(layerGgufName('down_proj', layer)!)?.moments;
  return moments?.triangle(Int32Array.of(...kept, ...removed), signal);
}

/** Some columns of a matrix, row by row. */
async function columnsOf(matrix: Tensor, columns: Int32Array, signal?: AbortSignal): Promise<Float32Array> {
  const chosen = new Float32Array(rowCount(matrix) * columns.length);
  for await (const { values, index } of decodedRows(matrix, undefined, signal)) {
    const row = index * columns.length;
    for (let c = 0; c < columns.length; c++) chosen[row + c] = values[columns[c]!]!;
  }
  return chosen;
}

import type { Model } from '../../core/model.ts';
import { printPassRequest, runPasses } from '../../passes/run.ts';
import { type Allocation, type AllocatorOptions, SchemeAllocator, SizeTooSmall } from './allocate.ts';

/** A choice of schemes, and the model that it is for. */
export interface AllocatedModel {
  readonly model: Model;
  /** Passes that have made it of the reference, as `--pass` takes them. */
  readonly passes: readonly string[];
  readonly allocation: Allocation;
}

interface Width {
  readonly ffnWidth: number | undefined;
  readonly passes: readonly string[];
  readonly model: Model;
  readonly allocator: SchemeAllocator;
}

/** Chooses schemes, and the width of the FFN among some, for any number of sizes. */
export class WidthAllocator {
  readonly #reference: Model;
  readonly #ffnWidths: readonly number[];
  readonly #options: Omit<AllocatorOptions, 'reference'>;
  readonly #open: Width[] = [];

  /** `ffnWidths`: beside that of `reference` itself. */
  constructor(reference: Model, ffnWidths: readonly number[], options: Omit<AllocatorOptions, 'reference'>) {
    this.#reference = reference;
    this.#ffnWidths = ffnWidths;
    this.#options = options;
  }

  /**
   * The choice that diverges least from the reference within `targetBytes`.
   * @throws SizeTooSmall where nothing fits; and as `SchemeAllocator` and the pass `prune-ffn` do.
   */
  async allocate(targetBytes: number): Promise<AllocatedModel> {
    let best: (Width & { readonly allocation: Allocation }) | undefined;
    let refusal: unknown;
    for (const index of [undefined, ...this.#ffnWidths].keys()) {
      const width = await this.#width(index);
      if (best !== undefined && best.allocation.measuredKld <= width.allocator.baseKld) continue;
      try {
        const allocation = await width.allocator.allocate(targetBytes);
        if (best !== undefined && best.allocation.measuredKld <= allocation.measuredKld) continue;
        best = { ...width, allocation };
      } catch (error) {
        // A narrower FFN may fit where this does not.
        if (!(error instanceof SizeTooSmall)) throw error;
        refusal = error;
      }
    }
    if (best === undefined) throw refusal;
    const { model, passes, ffnWidth } = best;
    const allocation = await best.allocator.repair(best.allocation, targetBytes);
    return { model, passes, allocation: { ...allocation, ...(ffnWidth && { ffnWidth }) } };
  }

  async close(): Promise<void> {
    for (const { allocator } of this.#open) await allocator.close();
  }

  async #width(index: number): Promise<Width> {
    const known = this.#open[index];
    if (known !== undefined) return known;
    const ffnWidth = index === 0 ? undefined : this.#ffnWidths[index - 1]!;
    const requests = ffnWidth === undefined ? [] : [{ name: 'prune-ffn', options: { width: `${ffnWidth}` } }];
    const { signal } = this.#options;
    const reference = this.#reference;
    const model = await runPasses(reference, requests, signal && { signal });
    const allocator = await SchemeAllocator.open(model, { ...this.#options, reference });
    const opened = { ffnWidth, passes: requests.map(printPassRequest), model, allocator };
    this.#open.push(opened);
    return opened;
  }
}

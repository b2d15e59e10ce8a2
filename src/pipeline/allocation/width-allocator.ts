import { usage } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import { type PassRequest, printPassRequest, runPasses } from '../../passes/run.ts';
import { passContext } from '../planning/pass-context.ts';
import { type Allocation, type AllocatorOptions, SchemeAllocator } from './allocate.ts';
import { planBytes, SizeTooSmall, sizeBounds } from './size-bounds.ts';

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
  /** Bytes of the artifact in the smallest schemes. */
  readonly smallest: number;
  /** Undefined until it is needed. */
  allocator?: SchemeAllocator;
}

/** The pass that leaves so many neurons in every layer. */
export function pruningTo(width: number): PassRequest {
  return { name: 'prune-ffn', options: { width: `${width}` } };
}

/** Chooses schemes, and the width of the FFN among some, for any number of sizes. */
export class WidthAllocator {
  readonly #reference: Model;
  readonly #ffnWidths: readonly number[];
  readonly #options: Omit<AllocatorOptions, 'reference'>;
  #widths: readonly Width[] | undefined;

  /** `ffnWidths`: beside that of `reference` itself. */
  constructor(reference: Model, ffnWidths: readonly number[], options: Omit<AllocatorOptions, 'reference'>) {
    this.#reference = reference;
    this.#ffnWidths = ffnWidths;
    this.#options = options;
  }

  /**
   * The choice that diverges least from the reference within `targetBytes`. All widths are pruned before
   * anything is measured.
   * @throws SizeTooSmall where nothing fits; usage for a width that prunes nothing; and as `SchemeAllocator`
   * and the pass `prune-ffn` do.
   */
  async allocate(targetBytes: number): Promise<AllocatedModel> {
    this.#widths ??= await this.#prune();
    const smallest = Math.min(...this.#widths.map((width) => width.smallest));
    let refusal = new SizeTooSmall(targetBytes, smallest);
    let best: (Width & { readonly allocator: SchemeAllocator; readonly allocation: Allocation }) | undefined;
    for (const width of this.#widths) {
      if (width.smallest > targetBytes) continue;
      width.allocator ??= await SchemeAllocator.open(width.model, {
        ...this.#options,
        reference: this.#reference,
      });
      const { allocator } = width;
      if (best !== undefined && best.allocation.measuredKld <= allocator.baseKld) continue;
      try {
        const allocation = await allocator.allocate(targetBytes);
        if (best !== undefined && best.allocation.measuredKld <= allocation.measuredKld) continue;
        best = { ...width, allocator, allocation };
      } catch (error) {
        // Alignment may take a few bytes more than in the smallest schemes. A narrower FFN may fit.
        if (!(error instanceof SizeTooSmall)) throw error;
        refusal = error;
      }
    }
    if (best === undefined) throw refusal;
    const { model, passes, ffnWidth, allocator } = best;
    const allocation = await allocator.repair(best.allocation, targetBytes);
    return { model, passes, allocation: { ...allocation, ...(ffnWidth && { ffnWidth }) } };
  }

  async close(): Promise<void> {
    for (const { allocator } of this.#widths ?? []) await allocator?.close();
  }

  async #prune(): Promise<Width[]> {
    const widths: Width[] = [];
    for (const ffnWidth of [undefined, ...this.#ffnWidths]) {
      const requests = ffnWidth === undefined ? [] : [pruningTo(ffnWidth)];
      const model = await runPasses(this.#reference, requests, passContext(this.#options));
      if (ffnWidth !== undefined && hasSameWidths(model, this.#reference))
        throw widthOfItsOwn(ffnWidth, model);
      const smallest = planBytes(sizeBounds(model, this.#options).smallest);
      widths.push({ ffnWidth, model, smallest, passes: requests.map(printPassRequest) });
    }
    return widths;
  }
}

function hasSameWidths(a: Model, b: Model): boolean {
  return a.config.intermediateSizes.join() === b.config.intermediateSizes.join();
}

function widthOfItsOwn(width: number, { config }: Model) {
  const own = Math.max(...config.intermediateSizes);
  return usage(`an FFN width of ${width} prunes nothing`, `less than ${own}, after rounding up to 256`);
}

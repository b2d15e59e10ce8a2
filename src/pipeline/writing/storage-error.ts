import { number, object, type Read } from '../../core/json/schema.ts';
import { ROW_STATISTICS_BYTES } from './working-memory.ts';

/** How far stored weights are from their source. */
export const storageError = object({
  /** sqrt(sum (a - b)^2 / sum a^2); 0 for a tensor of zeros. */
  relativeRms: number,
  /** max |a - b|. */
  maxAbs: number,
});

export type StorageError = Read<typeof storageError>;

/** f64 values that the kernel `difference` returns for a row. */
const ROW_VALUES = ROW_STATISTICS_BYTES / Float64Array.BYTES_PER_ELEMENT;

/** Adds up rows in their order, so that the sums do not depend on how rows were cut into chunks. */
export class StorageErrorSum {
  #squaredError = 0;
  #squares = 0;
  #largest = 0;

  /** Adds rows; stops at one with a weight that is not finite, in source or target, and returns its index. */
  add(statistics: Float64Array): number | undefined {
    for (let at = 0; at < statistics.length; at += ROW_VALUES) {
      const squaredError = statistics[at]!;
      // A NaN or an infinity on either side makes this sum one.
      if (!Number.isFinite(squaredError)) return at / ROW_VALUES;
      this.#squaredError += squaredError;
      this.#squares += statistics[at + 1]!;
      this.#largest = Math.max(this.#largest, statistics[at + 2]!);
    }
    return undefined;
  }

  get error(): StorageError {
    const relativeRms = this.#squares === 0 ? 0 : Math.sqrt(this.#squaredError / this.#squares);
    return { relativeRms, maxAbs: this.#largest };
  }
}

import { createHash } from 'node:crypto';
import { sha256 } from '../../core/json/hashes.ts';
import { object, type Read } from '../../core/json/schema.ts';
import { StorageErrorSum, storageError } from './storage-error.ts';

/** What is known of the rows of a tensor that a file holds. */
export const storedMembers = {
  /** Of the encoded rows in their order, as a GGUF holds them, whatever a packing makes of them; in hex. */
  sha256,
  error: storageError,
};

const storedTensor = object(storedMembers);

export type StoredTensor = Read<typeof storedTensor>;

/** Takes chunks of a tensor in the order of its rows. */
export class StoredTensorSum {
  readonly #hash = createHash('sha256');
  readonly #error = new StorageErrorSum();

  /** As `StorageErrorSum.add`. */
  addStatistics(statistics: Float64Array): number | undefined {
    return this.#error.add(statistics);
  }

  addRows(rows: Uint8Array): void {
    this.#hash.update(rows);
  }

  /** To be asked for once, at the end. */
  finish(): StoredTensor {
    return { sha256: this.#hash.digest('hex'), error: this.#error.error };
  }
}

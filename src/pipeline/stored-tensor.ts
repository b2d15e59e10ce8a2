import { createHash } from 'node:crypto';
import { type StorageError, StorageErrorSum } from './storage-error.ts';

/** What is known of the rows of a tensor that a file holds. */
export interface StoredTensor {
  /** Of the encoded rows in their order, as a GGUF holds them, whatever a packing makes of them; in hex. */
  readonly sha256: string;
  readonly error: StorageError;
}

/** Takes chunks of a tensor in the order of its rows. */
export class StoredTensorSum {
  readonly #hash = createHash('sha256');
  readonly #error = new StorageErrorSum();

  /** Stops at a row with a weight that is not finite and returns its index, as `StorageErrorSum` does. */
  add(rows: Uint8Array, statistics: Float64Array): number | undefined {
    const badRow = this.#error.add(statistics);
    if (badRow === undefined) this.#hash.update(rows);
    return badRow;
  }

  /** To be asked for once, at the end. */
  finish(): StoredTensor {
    return { sha256: this.#hash.digest('hex'), error: this.#error.error };
  }
}

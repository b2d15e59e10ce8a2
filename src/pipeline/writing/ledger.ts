import type { PlannedTensor } from '../../core/export-plan.ts';
import type { StoredTensor } from './stored-tensor.ts';

/** What a ledger keeps of a tensor. */
export interface Written {
  readonly stored: StoredTensor;
  /** SHA-256 of the rows that it was made of, as kernels took them; in hex. */
  readonly madeOf: string;
}

/** Remembers from one run to the next which tensors are in their places. */
export interface Ledger {
  /** Of a tensor that lies in its places unharmed; undefined where it has to be written. */
  find(tensor: PlannedTensor): Written | undefined;
  /** Takes a tensor of which every byte has been written. */
  add(tensor: PlannedTensor, written: Written): Promise<void>;
}

/** News for a ledger, until the chunks that they are about have been written. */
export class Outbox {
  readonly #ledger: Ledger | undefined;
  readonly #waiting: { readonly chunk: number; readonly send: () => Promise<void> }[] = [];

  constructor(ledger: Ledger | undefined) {
    this.#ledger = ledger;
  }

  /** Of a tensor whose last chunk has number `chunk`. */
  put(chunk: number, tensor: PlannedTensor, written: Written): void {
    const ledger = this.#ledger;
    if (ledger !== undefined) this.#waiting.push({ chunk, send: () => ledger.add(tensor, written) });
  }

  /** Sends what is about chunks up to number `chunk`. */
  async send(chunk: number): Promise<void> {
    while (this.#waiting.length > 0 && this.#waiting[0]!.chunk <= chunk) await this.#waiting.shift()!.send();
  }
}

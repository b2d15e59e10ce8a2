import { setTimeout as sleep } from 'node:timers/promises';

/** A server may ask for patience, but not for more than a person would have. */
const LONGEST_PAUSE = 60_000;

/** Bytes that a connection must bring to count as one that helps: a server that drips would be tried for ever. */
export const LEAST_PROGRESS = 64 << 10;

/** Waits between tries of one request or transfer, longer each time that nothing came. */
export class Retries {
  readonly #pauses: readonly number[];
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  /** `pauses`: milliseconds before each further try. */
  constructor(pauses: readonly number[], signal?: AbortSignal) {
    this.#pauses = pauses;
    this.#signal = signal;
  }

  /** Something new came: the next failure counts as the first. */
  progress(): void {
    this.#failures = 0;
  }

  /**
   * Resolves when it is time for the next try; false where there were enough. `atLeast`: milliseconds that the server
   * asked for. Throws the reason of an abort.
   */
  async again(atLeast = 0): Promise<boolean> {
    this.#signal?.throwIfAborted();
    const pause = this.#pauses[this.#failures++];
    if (pause === undefined || atLeast > LONGEST_PAUSE) return false;
    await sleep(Math.max(pause, atLeast), undefined, this.#signal && { signal: this.#signal }).catch(() => {
      this.#signal?.throwIfAborted();
    });
    return true;
  }
}

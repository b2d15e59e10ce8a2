/** A server may ask for patience, but not for more than a person would have. */
const LONGEST_PAUSE = 60_000;

/**
 * Waits between tries of one request or transfer, longer each time that nothing came. Runs in browsers too.
 */
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
   * Resolves when it is time for the next try; false where there were enough. `atLeast`: milliseconds that
   * the server asked for. Throws the reason of an abort.
   */
  async again(atLeast = 0): Promise<boolean> {
    this.#signal?.throwIfAborted();
    const pause = this.#pauses[this.#failures++];
    if (pause === undefined || atLeast > LONGEST_PAUSE) return false;
    await sleep(Math.max(pause, atLeast), this.#signal);
    return true;
  }
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

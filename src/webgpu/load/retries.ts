/** Milliseconds before each further try. A phone that changes networks needs some seconds. */
export const PAUSES: readonly number[] = [250, 1000, 2000, 4000, 8000];

/** Waits between tries of one transfer, longer each time that nothing came. */
export class Retries {
  readonly #pauses: readonly number[];
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  constructor(pauses: readonly number[] = PAUSES, signal?: AbortSignal) {
    this.#pauses = pauses;
    this.#signal = signal;
  }

  /** Something new came: the next failure counts as the first. */
  progress(): void {
    this.#failures = 0;
  }

  /** Resolves when it is time for the next try; false where there were enough. Throws the reason of an abort. */
  async again(): Promise<boolean> {
    this.#signal?.throwIfAborted();
    const pause = this.#pauses[this.#failures++];
    if (pause === undefined) return false;
    await sleep(pause, this.#signal);
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

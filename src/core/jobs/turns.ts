import { setImmediate } from 'node:timers/promises';

/** Milliseconds that a loop may keep the thread: so late an answer to Ctrl-C is not felt. */
const LONGEST_HOLD = 50;

/**
 * Lets the events that wait for this thread have their turn, such as signals of the system, timers and
 * progress.
 * @throws the reason of `signal` once it is aborted.
 */
export async function giveTurn(signal?: AbortSignal): Promise<void> {
  await setImmediate();
  signal?.throwIfAborted();
}

/** For loops of much arithmetic, which would keep the thread for longer than anybody waits for an answer. */
export class Turns {
  readonly #signal: AbortSignal | undefined;
  #since = performance.now();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** To be awaited every few milliseconds. Gives a turn, as `giveTurn` does, if the last one was long ago. */
  async offer(): Promise<void> {
    if (performance.now() - this.#since < LONGEST_HOLD) return;
    await giveTurn(this.#signal);
    this.#since = performance.now();
  }
}
